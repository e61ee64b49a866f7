// Reads an AsyncAPI document with the official parser and tells what it found as JSON.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const WARNING = 1; // severities: 0 error, 1 warning, 2 information, 3 hint
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics
  .filter((found) => found.severity <= WARNING)
  .map((found) => `${found.path.join(".")}: ${found.message}`);
console.log(
  JSON.stringify({
    version: document?.version(),
    channels: document?.channels().all().length,
    operations: document?.operations().all().length,
    messages: document?.allMessages().all().length,
    errors,
  }),
);
