FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/yizhan
COPY requirements.txt requirements-build.txt ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.txt \
    && pip --python /opt/yizhan/bin/python install --no-cache-dir --no-deps --require-hashes -r requirements.txt
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/yizhan/bin/python install --no-cache-dir --no-deps dist/*.whl \
    && pip --python /opt/yizhan/bin/python check

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin yizhan \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/yizhan
COPY --from=build /opt/yizhan /opt/yizhan
ENV PATH=/opt/yizhan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    YIZHAN_RECEIVER__HOST=0.0.0.0 \
    YIZHAN_NATS__DATA_DIR=/var/lib/yizhan \
    YIZHAN_LOG__FORMAT=json
WORKDIR /var/lib/yizhan
USER 10001:10001
VOLUME /var/lib/yizhan
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["yizhan", "check", "--running"]
ENTRYPOINT ["yizhan"]
CMD ["up"]
