// A program of a partner, in TypeScript, with the types that openapi-typescript makes of the document: it
// turns a member's points into another brand's, and prints the conversion.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

const { BASE, TOKEN, MEMBER } = process.env as Record<string, string>;

const hub = createClient<paths>({ baseUrl: BASE, headers: { Authorization: `Bearer ${TOKEN}` } });

function told<T>(answer: { data?: T; error?: components["schemas"]["ProblemBody"] }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail);
  return answer.data;
}

function key() {
  return { header: { "Idempotency-Key": randomUUID() } };
}

const quote = told(
  await hub.POST("/v1/quotes", {
    body: { member: MEMBER, gives: { amount: "10000", currency: "MILE" }, to: "HPT" },
  }),
);
const conversion = told(
  await hub.POST("/v1/conversions", { params: key(), body: { quote: quote.quote } }),
);
console.log(JSON.stringify(conversion));
