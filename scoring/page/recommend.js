"use strict";
const MEANINGS = {
  unknown_user: "Nothing is stored about this user.",
  no_histories: "The service has no stored histories.",
  unknown_items: "Unknown items were left out.",
  popular: "No known item was chosen, so these are the most popular ones.",
  fewer: "There are no more items.",
};
const REASONS = {
  history: "because of",
  attributes: "like",
  popular: "many chose it",
  new: "new",
};
let before = null;

const called = ({ item, columns }) => Object.values(columns)[0] ?? item;

function request() {
  const user = byId("who").value.trim();
  const history = byId("chose").value.split(",").map((one) => one.trim()).filter(Boolean);
  if (!user && !history.length) throw new Error("Name a user, or items that somebody chose.");
  const changed = [...byId("context").querySelectorAll("input")].filter((input) => input.value !== input.defaultValue);
  const context = changed.map(({ name, value, dataset }) => [name, value === "" ? null : dataset.text || isNaN(value) ? value : Number(value)]);
  return { top: 10, details: true, ...(user && { user }), ...(history.length && { history }), context: Object.fromEntries(context) };
}

/** An input for each column of the user, with what is stored; kept while the same user's columns are changed. */
function offer(columns) {
  const group = byId("context");
  if (!group.hidden) return;
  group.hidden = Object.keys(columns).length === 0;
  group.querySelector("div").replaceChildren(
    ...Object.entries(columns).map(([name, value]) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.name = name;
      input.defaultValue = value ?? "";
      if (typeof value === "string") input.dataset.text = "yes";
      label.append(name, input);
      return label;
    }),
  );
}

/** How far an item has moved since the last answer for the same user. */
function moved(item, place, last) {
  if (!last) return "";
  const former = last.indexOf(item);
  if (former < 0) return "new here";
  return former === place ? "" : former > place ? `↑ ${former - place}` : `↓ ${place - former}`;
}

function show(asked, answer) {
  const who = JSON.stringify([asked.user, asked.history]);
  const last = before?.who === who ? before.items : null;
  before = { who, items: answer.items.map(({ item }) => item) };
  offer(answer.known.columns);
  const rows = answer.items.map((one, place) => {
    const why = [REASONS[one.reason] ?? one.reason, one.because.map(called).join(" and ")].join(" ").trim();
    const line = document.createElement("tr");
    for (const text of [String(place + 1), called(one), why, moved(one.item, place, last)]) line.insertCell().textContent = text;
    line.cells[1].title = one.item;
    return line;
  });
  byId("best").tBodies[0].replaceChildren(...rows);
  byId("fallback").textContent = answer.fallback.map((one) => MEANINGS[one] ?? one).join(" ");
  const { history, chosen } = answer.known;
  byId("past").hidden = chosen === 0;
  byId("past").querySelector("summary").textContent = `What they chose: ${chosen} ${chosen === 1 ? "item" : "items"}`;
  byId("past").querySelector("p").textContent = history.map(called).join(", ") + (chosen > history.length ? ", …" : "");
  byId("recommended").hidden = false;
}

onSubmit("recommend-form", "who", "recommend-error", async (asked) => show(asked, await ask("recommend", asked)), request);
byId("context").addEventListener("change", () => byId("recommend-form").requestSubmit());
for (const id of ["who", "chose"]) {
  byId(id).addEventListener("input", () => {
    byId("context").hidden = true;
    byId("context").querySelector("div").replaceChildren();
  });
}
