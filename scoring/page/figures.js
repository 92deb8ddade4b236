"use strict";
const EVERY_MILLISECONDS = 5000;
const FIRST_MILLISECONDS = 1000;
const WINDOW_MILLISECONDS = 60000;
const MAX_FEATURES = 12;
const count = new Intl.NumberFormat("en");
const figure = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const index = new Intl.NumberFormat("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
let snapshots = [];
let paused = false;

/** Parse Prometheus' text format into a list of names, labels and values. */
function parse(text) {
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, inside, value]) => {
    const labels = [...(inside ?? "").matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)];
    return { name, labels: Object.fromEntries(labels.map(([, key, quoted]) => [key, JSON.parse(quoted)])), value: Number(value) };
  });
}

/** A histogram as a sorted list of upper bounds and cumulative counts, summed over its labels. */
function cumulative(samples, name) {
  const reached = new Map();
  for (const { labels, value } of samples.filter((sample) => sample.name === `${name}_bucket`)) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    reached.set(bound, (reached.get(bound) ?? 0) + value);
  }
  return [...reached].sort(([one], [other]) => one - other);
}

function snapshot(samples) {
  const sum = (name, holds = () => true) =>
    samples.filter((sample) => sample.name === name && holds(sample.labels)).reduce((total, { value }) => total + value, 0);
  const requests = (first) => sum("scoring_requests_total", ({ status }) => status.startsWith(first));
  return {
    at: performance.now(),
    requests: requests(""),
    refused: requests("4"),
    failed: requests("5"),
    records: sum("scoring_records_total"),
    cpu: sum("scoring_cpu_seconds_total"),
    workers: sum("scoring_ready_workers"),
    latency: cumulative(samples, "scoring_request_seconds"),
  };
}

/** The counts between two snapshots. */
function between(before, after) {
  const earlier = new Map(before.latency);
  const latency = after.latency.map(([bound, reached]) => [bound, reached - (earlier.get(bound) ?? 0)]);
  const counted = Object.fromEntries(["requests", "refused", "failed", "records", "cpu"].map((name) => [name, after[name] - before[name]]));
  return { ...counted, latency, workers: after.workers, seconds: (after.at - before.at) / 1000 };
}

/** A percentile of the latency, rounded up to the next bound of the histogram. */
function within(latency, percentile) {
  const total = latency.at(-1)?.[1] ?? 0;
  if (!total) return "–";
  const place = latency.findIndex(([, reached]) => reached >= (percentile / 100) * total);
  const seconds = latency[place][0];
  const shown = (value) => (value < 1 ? `${figure.format(value * 1000)} ms` : `${figure.format(value)} s`);
  return seconds === Infinity ? `over ${shown(latency[place - 1][0])}` : shown(seconds);
}

const part = (some, all) => (all ? `${count.format(some)} (${share.format(some / all)})` : "–");
const FIGURES = [
  ["Requests", ({ requests }) => count.format(requests)],
  ["Requests per second", ({ requests, seconds }) => (seconds ? figure.format(requests / seconds) : "–")],
  ["Records scored", ({ records }) => count.format(records)],
  ...[50, 95, 99].map((percentile) => [`${percentile}th percentile latency, at most`, ({ latency }) => within(latency, percentile)]),
  ["Client errors (4xx)", ({ refused, requests }) => part(refused, requests)],
  ["Server errors (5xx)", ({ failed, requests }) => part(failed, requests)],
  ["CPU per worker, share of a core", ({ cpu, seconds, workers }) => (seconds && workers ? share.format(cpu / seconds / workers) : "–")],
];

function showTraffic(latest, minute) {
  const lines = FIGURES.filter(([name]) => name !== "Records scored" || !byId("click-figures").hidden).map(([name, shown]) => {
    const line = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = name;
    line.append(heading);
    for (const counted of [minute, latest]) {
      const cell = line.insertCell();
      cell.className = "number";
      cell.textContent = counted ? shown(counted) : "…";
    }
    return line;
  });
  byId("traffic").tBodies[0].replaceChildren(...lines);
  if (!minute) return;
  const errors = minute.failed ? `${part(minute.failed, minute.requests)} failed` : "none failed";
  byId("glance").textContent = minute.requests
    ? `In the last minute ${figure.format(minute.requests / minute.seconds)} requests a second, 99 of 100 within ${within(minute.latency, 99)}, ${errors}.`
    : "No requests in the last minute.";
}

function showPredictions(samples) {
  const reached = cumulative(samples, "scoring_probability").filter(([bound]) => bound <= 1);
  const total = reached.at(-1)?.[1] ?? 0;
  const shares = reached.map(([, most], place) => (total ? (most - (reached[place - 1]?.[1] ?? 0)) / total : 0));
  const largest = Math.max(...shares, 1e-9);
  const lines = reached.map(([bound], place) => {
    const from = share.format(reached[place - 1]?.[0] ?? 0);
    return row([`${from} to ${share.format(bound)}`, share.format(shares[place])], 1, 0, (100 * shares[place]) / largest);
  });
  byId("predictions").tBodies[0].replaceChildren(...lines);
}

function showDrift(samples) {
  const table = byId("drift");
  const [stable, major] = [Number(table.dataset.stable), Number(table.dataset.major)];
  const all = (name) => samples.filter((sample) => sample.name === name);
  const compared = all("scoring_compared_rows_total")[0]?.value ?? 0;
  const moved = [
    ...all("scoring_prediction_psi").map(({ value }) => ["the predictions", value]),
    ...all("scoring_feature_psi").map(({ labels, value }) => [labels.feature, value]).sort((one, other) => other[1] - one[1]).slice(0, MAX_FEATURES),
  ];
  const line = ([name, value]) => {
    const made = row([name, index.format(value), word(value)], 1, 0, Math.min(100, (50 * value) / major));
    made.querySelector("i").classList.toggle("less", value > major);
    return made;
  };
  const word = (value) => (value > major ? "shifted" : value > stable ? "moving" : "stable");
  table.hidden = !compared;
  byId("compared-rows").textContent = compared
    ? `${count.format(compared)} rows compared; below ${stable} an index is stable, above ${major} the data has shifted.`
    : "Drift is shown once 1,000 rows have been scored.";
  table.tBodies[0].replaceChildren(...moved.map(line));
}

async function renew() {
  const answer = await fetch(address("metrics"));
  if (!answer.ok) throw new Error("The metrics are not available.");
  const samples = parse(await answer.text());
  const latest = snapshot(samples);
  if (latest.requests < (snapshots.at(-1)?.requests ?? 0)) snapshots = []; // the service restarted, or another pod answered
  snapshots = [...snapshots.filter(({ at }) => latest.at - at <= WINDOW_MILLISECONDS), latest];
  const models = samples.filter(({ name, value }) => name === "scoring_model_info" && value > 0);
  byId("serving").textContent = models
    .map(({ labels, value }) => `Version ${labels.version}, by ${count.format(value)} process${value === 1 ? "" : "es"}, ${count.format(latest.workers)} ready`)
    .join("; ");
  showTraffic(latest, snapshots.length > 1 ? between(snapshots[0], latest) : undefined);
  showPredictions(samples);
  showDrift(samples);
}

async function keepRenewing() {
  if (!paused && !document.hidden) {
    try {
      await renew();
      byId("figures-error").textContent = "";
    } catch (error) {
      byId("figures-error").textContent = error instanceof TypeError ? "The service is not responding." : error.message;
    }
  }
  setTimeout(keepRenewing, snapshots.length < 2 ? FIRST_MILLISECONDS : EVERY_MILLISECONDS);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
});
keepRenewing();
