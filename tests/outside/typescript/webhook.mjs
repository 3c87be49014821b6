// Verifies a delivery with the reference library of Standard Webhooks: {secret, headers, body} as JSON on
// standard input. Prints what the body says.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
