// Reads {queries: {name: text}, tables: {name: columns}}; writes {name: [error]} for the queries with errors.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;

const { queries, tables } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const symbols = Object.entries(tables).map(([name, columns]) => Symbols.TableSymbol.From(`(${columns})`).WithName(name));
const logs = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("logs", symbols));

const wrong = {};
for (const [name, text] of Object.entries(queries)) {
  const found = KustoCode.ParseAndAnalyze(text, logs).GetDiagnostics();
  const messages = Array.from({ length: found.Count }, (_, index) => found.getItem(index).Message);
  if (messages.length > 0) wrong[name] = messages;
}
console.log(JSON.stringify(wrong));
