"""The section `[tracing]`, beside what the environment says in OpenTelemetry's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from receiver.settings.section import Section

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_RATIOS: Final = {"always_on": 1.0, "always_off": 0.0}
_SPOKEN: Final = "http/protobuf"


class TracingSettings(Section):
    """Spans by OpenTelemetry, with the extra `yizhan[otel]`.

    Not `enabled` is never; left out it is on where the environment names a collector
    (`OTEL_EXPORTER_OTLP_ENDPOINT`). Of the traces that begin here `sample_ratio` are kept, unless
    `OTEL_TRACES_SAMPLER` says otherwise.
    """

    enabled: bool | None = None
    sample_ratio: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)

    def wanted(self, environ: Mapping[str, str]) -> bool:
        """Whether traces are to be exported; by the environment it can be switched off, too."""
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return False
        exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
        if exporter == "none":
            return False
        if self.enabled is not None:
            return self.enabled
        return exporter == "otlp" or any(environ.get(name) for name in _ENDPOINTS)

    def ratio(self, environ: Mapping[str, str]) -> float:
        """Which share of the traces is kept; where a variable cannot be read, see `faults`."""
        named = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower().removeprefix("parentbased_")
        if named in _RATIOS:
            return _RATIOS[named]
        if named != "traceidratio":
            return self.sample_ratio
        try:
            ratio = float(environ.get("OTEL_TRACES_SAMPLER_ARG") or 1.0)
        except ValueError:
            return self.sample_ratio
        return ratio if 0 <= ratio <= 1 else self.sample_ratio

    def doubts(self, environ: Mapping[str, str]) -> list[str]:
        """What of the environment is not followed, each with what holds in its place."""
        found = []
        protocol = next(filter(None, map(environ.get, _PROTOCOLS)), _SPOKEN)
        if protocol != _SPOKEN:
            found.append(f"{_PROTOCOLS[1]} is {protocol}: {_SPOKEN} is what is sent")
        named = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower().removeprefix("parentbased_")
        if named and named not in {*_RATIOS, "traceidratio"}:
            found.append(
                "OTEL_TRACES_SAMPLER is none of always_on, always_off, traceidratio: "
                f"tracing.sample_ratio holds ({self.sample_ratio:g})"
            )
        return found
