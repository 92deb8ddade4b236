"use strict";
const MEANINGS = {
  unknown_user: "Nothing is stored about this user.",
  no_histories: "The service has no stored histories.",
  unknown_items: "Unknown items were left out.",
  popular: "Nothing that is known of their choices helps, so these are the most popular items.",
  fewer: "There are no more items.",
};
let before = null;

const text = (value) => (Array.isArray(value) ? value.join(", ") : String(value ?? ""));
const called = ({ item, columns }) => text(Object.values(columns)[0] ?? item);

/** A sentence that says why an item is recommended. */
function because({ item, reason, because: items }) {
  if (reason === "new") return "New: nobody has chosen it yet.";
  if (reason === "popular") return "Many chose it.";
  if (items.some((one) => one.item === item)) return "They chose it before.";
  return `${reason === "attributes" ? "It is like" : "Because they chose"} ${items.map(called).join(" and ")}.`;
}

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
  const names = [...new Set(answer.items.flatMap(({ columns }) => Object.keys(columns)))];
  const moves = answer.items.map(({ item }, place) => moved(item, place, last));
  const some = moves.some(Boolean) ? ["Moved"] : [];
  const line = (texts, kind, numbers) => {
    const made = document.createElement("tr");
    texts.forEach((one, at) => {
      const cell = document.createElement(kind);
      cell.textContent = one;
      cell.classList.toggle("number", numbers.includes(at));
      made.append(cell);
    });
    return made;
  };
  const isNumber = (name) => answer.items.every(({ columns }) => typeof (columns[name] ?? 0) === "number");
  const numbers = names.flatMap((name, at) => (isNumber(name) ? [at + 1] : []));
  const digits = (value) => String(value ?? "").split(".")[1]?.length ?? 0;
  /** A value as text, with as many decimals as the others of a column of numbers have. */
  const alike = (value, name, at) =>
    numbers.includes(at) && value !== undefined ? value.toFixed(Math.max(...answer.items.map(({ columns }) => digits(columns[name])))) : text(value);
  const rows = answer.items.map((one, place) => {
    const shown = names.length ? names.map((name, at) => alike(one.columns[name], name, at + 1)) : [one.item];
    const made = line([String(place + 1), ...shown, because(one), ...some.map(() => moves[place])], "td", numbers);
    made.cells[1].title = one.item;
    return made;
  });
  const head = line(["", ...(names.length ? names.map((name) => name.replaceAll("_", " ")) : ["Item"]), "Why", ...some], "th", numbers);
  byId("best").tHead.replaceChildren(head);
  byId("best").tBodies[0].replaceChildren(...rows);
  byId("fallback").textContent = answer.fallback.map((one) => MEANINGS[one] ?? one).join(" ");
  const { history, chosen } = answer.known;
  byId("past").hidden = chosen === 0;
  byId("past").open = !asked.user;
  byId("past").querySelector("summary").textContent = `What they chose: ${chosen} ${chosen === 1 ? "item" : "items"}`;
  byId("past").querySelector("p").textContent = history.map(called).join(", ") + (chosen > history.length ? ", …" : "");
  byId("recommended").hidden = false;
}

onSubmit("recommend-form", "who", "recommend-error", async (asked) => show(asked, await ask("recommend", asked)), request);
/** Recommend to somebody who chose these items: at once, when the button is pressed, and until a user is named. */
function offerExample(items) {
  const [who, chose] = [byId("who"), byId("chose")];
  const show = () => {
    who.value = "";
    chose.value = items.join(", ");
    chose.dispatchEvent(new Event("input"));
    byId("recommend-form").requestSubmit();
  };
  who.addEventListener("input", () => (chose.value = chose.value === items.join(", ") ? "" : chose.value));
  byId("recommend-example").addEventListener("click", show);
  show();
}

byId("context").addEventListener("change", () => byId("recommend-form").requestSubmit());
for (const id of ["who", "chose"]) {
  byId(id).addEventListener("input", () => {
    byId("context").hidden = true;
    byId("context").querySelector("div").replaceChildren();
  });
}
