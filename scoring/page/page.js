"use strict";
const SHOWN = 12;
const byId = (id) => document.getElementById(id);
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 2 });
const signed = new Intl.NumberFormat("en", { signDisplay: "exceptZero", minimumFractionDigits: 3, maximumFractionDigits: 3 });
/** An address without the name and key that the page's own may have: `fetch` refuses those. */
const address = (path) => new URL(path, location.origin + location.pathname);
const sigmoid = (score) => 1 / (1 + Math.exp(-score));

/**
 * POST to the service. Throws an Error whose message is shown to the user.
 * A browser that has signed in for this page adds the key; if it has not, or doesn't, the page asks for it.
 */
async function ask(path, body) {
  const key = byId("key").value.trim();
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(address(path), { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("The service is not responding.");
  }
  const content = await answer.json();
  if (answer.status === 401) {
    byId("sign-in").hidden = false;
    byId("key").focus();
    if (!key) throw new Error("Enter the key first.");
  }
  if (!answer.ok) throw new Error(content.error.message);
  return content;
}

function read(id) {
  try {
    return JSON.parse(byId(id).value);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}.`);
  }
}

/** Run `work` with what `take` reads when a form is submitted, and show its error next to the text. */
function onSubmit(form, text, error, work, take = read) {
  byId(form).addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = byId(form).querySelector("[type=submit]");
    button.disabled = true;
    byId(error).textContent = "";
    byId(text).removeAttribute("aria-invalid");
    try {
      await work(take(text));
    } catch (problem) {
      byId(error).textContent = problem.message;
      byId(text).setAttribute("aria-invalid", "true");
    } finally {
      button.disabled = false;
    }
  });
}

/** A table row of texts that ends with a bar from `from` to `to` percent. */
function row(texts, numberAt, from, to, less) {
  const line = document.createElement("tr");
  texts.forEach((text, index) => {
    const cell = document.createElement(index === 0 ? "th" : "td");
    if (index === 0) cell.scope = "row";
    if (index === numberAt) cell.className = "number";
    cell.textContent = text;
    line.append(cell);
  });
  const cell = line.insertCell();
  cell.setAttribute("aria-hidden", "true");
  const bar = document.createElement("div");
  const fill = document.createElement("i");
  bar.className = less === undefined ? "bar" : "bar centred";
  if (less) fill.className = "less";
  fill.style.left = `${from}%`;
  fill.style.width = `${to - from}%`;
  bar.append(fill);
  cell.append(bar);
  return line;
}

function showScore(record, answer) {
  byId("probability").textContent = percent.format(answer.probability);
  byId("compared").textContent = `The average record's score means ${percent.format(sigmoid(answer.average))}.`;
  const moving = answer.contributions.filter((one) => one.contribution !== 0);
  const largest = Math.max(...moving.map((one) => Math.abs(one.contribution)), 1e-9);
  const rows = moving.map(({ feature, contribution }) => {
    const value = record[feature] ?? "";
    const reach = 50 + (50 * contribution) / largest;
    const texts = [feature, value === "" ? "missing" : String(value), signed.format(contribution)];
    return row(texts, 2, Math.min(50, reach), Math.max(50, reach), contribution < 0);
  });
  byId("contributions").tBodies[0].replaceChildren(...rows);
  const more = byId("more");
  const fold = (all) => {
    rows.forEach((line, index) => (line.hidden = !all && index >= SHOWN));
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? "Show the strongest" : `Show all ${rows.length} features`;
  };
  more.hidden = rows.length <= SHOWN;
  more.onclick = () => fold(more.getAttribute("aria-expanded") !== "true");
  fold(false);
  byId("score").hidden = false;
}

function showRanking(query, answer) {
  const rows = answer.items.map(({ index, probability }, place) => {
    const item = JSON.stringify(query.items[index]);
    const name = `${index + 1}. ${item.length > 80 ? `${item.slice(0, 79)}…` : item}`;
    return row([String(place + 1), name, percent.format(probability)], 2, 0, 100 * probability);
  });
  byId("ranking").tBodies[0].replaceChildren(...rows);
  byId("ranking").hidden = false;
}

async function describe() {
  const answer = await fetch(address("openapi.json"));
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error.message);
  const example = (path, name) => content.paths[path].post.requestBody.content["application/json"].examples[name].value;
  document.title = document.querySelector("h1").textContent = content.info.title;
  byId("model").textContent = `${content.info.summary} Model version ${content.info.version}.`;
  const fill = (id, value) => () => (byId(id).value = JSON.stringify(value, null, 2));
  const scores = "/score" in content.paths;
  if (scores) {
    byId("record-example").addEventListener("click", fill("record", example("/explain", "one")));
    byId("rank-example").addEventListener("click", fill("query", example("/rank", "items")));
  }
  for (const id of ["forms", "click-figures"]) byId(id).hidden = !scores;
  const recommends = "/recommend" in content.paths;
  byId("forms").open = !recommends;
  byId("forms").querySelector("summary").hidden = byId("recommend").hidden = !recommends;
  if (recommends) offerExample(example("/recommend", "history").history);
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!byId("recommend").hidden) byId("recommend-form").requestSubmit();
  else byId("record").focus();
});
onSubmit("record-form", "record", "record-error", async (record) => showScore(record, await ask("explain", record)));
onSubmit("rank-form", "query", "rank-error", async (query) => showRanking(query, await ask("rank", query)));
describe().catch((error) => (byId("model").textContent = error.message || "The service is not responding."));
