// The same by hand in Node: fastify, and one publish of the official client awaited.
import Fastify from "fastify";
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const connection = await connect({ servers: process.env.BENCH_NATS_URL });
const js = jetstream(connection);
const app = Fastify({ logger: false });
app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_, body, done) => done(null, body));
app.post("/callbacks", async (request) => {
  const ack = await js.publish("with_node.callbacks", request.body);
  return { seq: ack.seq };
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.BENCH_PORT) });
