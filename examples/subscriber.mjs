// Everything about logistics, with the official NATS client for Node.
//
//     npm install && NATS_URL=nats://127.0.0.1:4222 node subscriber.mjs
//
// The durable remembers how far it came: stop it, start it again, and it goes on from there.

import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const root = process.env.SUBJECT_ROOT ?? "yizhan";
const stream = root.toUpperCase();
const durable = "example-node";

const url = new URL(process.env.NATS_URL ?? "nats://127.0.0.1:4222");

const connection = await connect({
  servers: url.host, // this client does not read a user from the URL
  user: url.username || undefined,
  pass: url.password || undefined,
  name: durable,
});
const manager = await jetstreamManager(connection);
await manager.consumers.add(stream, {
  durable_name: durable,
  ack_policy: AckPolicy.Explicit,
  filter_subject: `${root}.events.*.logistics.*.*`,
});
const consumer = await jetstream(connection).consumers.get(stream, durable);
const messages = await consumer.consume({ max_messages: 100 });
process.once("SIGINT", () => messages.stop());

for await (const message of messages) {
  const type = message.headers.get("ce-type");
  const data = message.json(); // ids are text, so none is rounded
  // What must happen once belongs in a table under "ce-factid", the same for all events of one fact.
  console.log(`${message.headers.get("ce-id")} ${type} ${data.order_id}`);
  for (const parcel of data.parcels ?? []) {
    console.log(`  shipped with ${parcel.carrier}: ${parcel.waybill_no}`);
  }
  message.ack(); // work first, acknowledge then: what is not acknowledged comes again
}
await connection.drain();
