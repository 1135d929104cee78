"use strict";
// The script of the listening page. It does not add numbers, because the warehouse computes all of them.
(() => {
  const facts = JSON.parse(document.getElementById("data").textContent);
  const levels = {all: "All", free: "Free", paid: "Paid"};
  const state = {range: facts.ranges[0].id, level: "all", item: null};
  const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const day = (text) => new Date(text + "T00:00:00Z");
  const number = new Intl.NumberFormat("en-US");
  const share = new Intl.NumberFormat("en-US", {style: "percent", maximumSignificantDigits: 3});
  const signed = new Intl.NumberFormat("en-US", {style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero"});
  const dates = new Intl.DateTimeFormat("en-US", {day: "numeric", month: "short", year: "numeric", timeZone: "UTC"});
  const range = () => facts.ranges.find((one) => one.id === state.range);
  const rows = (of, key) => of[`${key}/${state.level}`];

  // Text is always inserted as text, so that no markup is parsed.
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  };
  // Names may be written from right to left.
  const name = (text) => make("bdi", {}, text);

  // The metrics of the tiles, computed from the counts of a range: plays, listeners, sessions, hours, paid and known plays.
  const tiles = {
    plays: (t) => t[0],
    listeners: (t) => t[1],
    sessions: (t) => t[2],
    hours: (t) => t[3],
    paid_share: (t) => (t[0] ? t[4] / t[0] : null),
    match_rate: (t) => (t[0] ? t[5] / t[0] : null),
  };
  const means = (metric) => `${facts.metrics[metric].label}: ${facts.metrics[metric].definition[0].toLowerCase()}${facts.metrics[metric].definition.slice(1)}`;
  const isShare = (metric) => facts.metrics[metric].unit === "share";
  const shown = (metric, value) => (value === null ? "–" : isShare(metric) ? share.format(value) : number.format(Math.round(value)));
  const empty = [0, 0, 0, 0, 0, 0, 0];

  function change(metric, now, before) {
    if (!range().before) return null;
    // Without plays, there is no share.
    if (now === null) return null;
    if (before === null) return make("p", {class: "soft"}, "no plays in the previous range");
    if (isShare(metric)) {
      const points = Number(((now - before) * 100).toPrecision(2));
      return make("p", {class: "soft"}, `${points > 0 ? "+" : ""}${points} points, from ${share.format(before)}`);
    }
    if (!before) return make("p", {class: "soft"}, "none before");
    const tone = now > before ? "up" : now < before ? "down" : "";
    return make("p", {class: "soft"}, make("span", {class: tone}, signed.format(now / before - 1)), ` from ${shown(metric, before)}`);
  }

  function drawTiles() {
    const now = rows(facts.totals, range().key) || empty;
    const before = range().before ? rows(facts.totals, range().before) || null : null;
    const weeks = facts.ranges.filter((one) => one.period === "week").reverse();
    document.getElementById("tiles").replaceChildren(
      ...Object.entries(tiles).map(([metric, count]) => {
        const line = weeks.map((one) => ({week: day(one.start), value: count(rows(facts.totals, one.key) || empty)}));
        const chart = Plot.plot({
          width: 150, height: 34, margin: 4, axis: null, y: {zero: true}, x: {type: "utc"},
          marks: [Plot.lineY(line, {x: "week", y: "value", stroke: "var(--main)", strokeWidth: 2}), Plot.dot(line.slice(-1), {x: "week", y: "value", fill: "var(--main)", r: 3})],
        });
        return make(
          "section", {class: "card", id: `tile-${metric}`, "aria-label": facts.metrics[metric].label},
          make("h2", {}, facts.metrics[metric].label),
          make("p", {class: "value"}, shown(metric, count(now))),
          change(metric, count(now), before && count(before)),
          line.length > 1 ? picture(chart, `${facts.metrics[metric].label} per week`) : null,
          make("details", {}, make("summary", {}, "What it means"), make("p", {class: "definition"}, facts.metrics[metric].definition)),
        );
      }),
    );
  }

  // A screen reader treats a chart as one image, because the table below the chart contains its numbers.
  function picture(chart, label) {
    const svg = chart.tagName === "svg" ? chart : chart.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.querySelectorAll("[aria-label]").forEach((part) => part.removeAttribute("aria-label"));
    return chart;
  }

  const cell = (value, kind) =>
    kind === "share" ? (value === null ? "–" : share.format(value)) : typeof value === "number" ? number.format(value) : value === null ? "–" : value;

  function table(columns, body, open) {
    const isNumber = columns.map((_, i) => body.some((row) => typeof row[i] === "number"));
    return make(
      "table", {},
      make("thead", {}, make("tr", {}, ...columns.map((column, i) => make("th", {scope: "col", class: isNumber[i] ? "n" : null}, column[0])))),
      make("tbody", {}, ...body.map((row, at) =>
        make("tr", {}, ...columns.map((column, i) => {
          const text = cell(row[i], column[1]);
          const content = open && i === open.column ? make("button", {type: "button", onclick: () => go({item: open.items[at]})}, name(text)) : typeof row[i] === "string" ? name(text) : text;
          return make("td", {class: isNumber[i] ? "n" : column[1] === "short" ? "s" : null}, content);
        })),
      )),
    );
  }

  // Put an apostrophe before a value that a spreadsheet would interpret as a formula.
  function csv(columns, body) {
    const quoted = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
      return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    return [columns.map((column) => column[0]), ...body].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  }

  function save(id, columns, body) {
    const address = URL.createObjectURL(new Blob(["\ufeff" + csv(columns, body)], {type: "text/csv"}));
    make("a", {href: address, download: `${id}-${state.range}-${state.level}.csv`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  // One panel: a question, a chart, its explanation, and the table with its CSV.
  function panel({id, title, about, colors, chart, columns, body, open, wide, visible}) {
    const data = make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}: table`}, table(columns, body, open));
    const button = make("button", {type: "button", class: "csv", onclick: () => save(id, columns, body)}, "Save as CSV");
    return make(
      "section", {class: wide ? "card full" : "card", id, "aria-labelledby": `${id}-title`},
      make("h2", {id: `${id}-title`}, title),
      body.length ? null : make("p", {}, "No data."),
      chart && body.length ? make("figure", {}, picture(chart, `${title}; the numbers are in the table below`)) : null,
      colors && body.length ? make("p", {class: "key"}, ...Object.entries(colors).flatMap(([label, color]) => [mark(color), label])) : null,
      make("p", {class: "definition"}, about),
      visible ? make("div", {}, data, make("p", {}, button)) : make("details", {}, make("summary", {}, "Table and CSV"), make("p", {}, button), data),
    );
  }

  function mark(color) {
    const found = make("i");
    found.style.background = `var(--${color})`;
    return found;
  }

  const style = {background: "none", color: "var(--ink)", fontFamily: "inherit", fontSize: "12px", overflow: "visible"};
  const widthOf = (wide) => {
    const all = document.getElementById("panels").clientWidth;
    const half = all >= 974 && !wide ? (all - 14) / 2 : all;
    return Math.max(260, half - 34);
  };
  const stacked = ["free", "paid"];
  // The tooltip of one mark of a chart. The table below the chart contains the same numbers for users who
  // cannot see the tooltip.
  const tip = (title) => ({title, tip: {fill: "var(--card)", stroke: "var(--soft)"}});
  // The axis of a chart by week, with at most seven ticks, all on Mondays.
  const mondays = (weeks) => {
    const step = Math.ceil(weeks.length / 7);
    return {type: "utc", label: null, ticks: weeks.map(day).filter((_, i) => (weeks.length - 1 - i) % step === 0), tickFormat: d3.utcFormat("%-d %b")};
  };
  const from = (date) => `Week from ${dates.format(date)}`;

  function bars(body, width = widthOf(false)) {
    const top = body.slice(0, 10);
    return Plot.plot({
      style, width, height: 24 * top.length + 8, marginLeft: 125, marginRight: 52, marginTop: 4, marginBottom: 4, x: {axis: null}, y: {label: null, domain: top.map((row) => row[0])},
      marks: [
        Plot.barX(top, {y: "0", x: "1", fill: "var(--main)"}),
        Plot.text(top, {y: "0", x: "1", text: (row) => number.format(row[1]), textAnchor: "start", dx: 4, fill: "var(--ink)"}),
        Plot.axisY({tickSize: 0, label: null, lineWidth: 10, textOverflow: "ellipsis"}),
      ],
    });
  }

  function listOf(kind) {
    const found = (rows(facts.lists, range().key) || {song: [], artist: []})[kind];
    const moved = (rank, before) => (before === null ? "new" : before === rank ? "=" : before > rank ? `▲ ${before - rank}` : `▼ ${rank - before}`);
    const body = found.map(([item, plays, listeners, known, before], i) => {
      const names = kind === "song" ? [facts.items[item][1], facts.items[item][2]] : [facts.items[item][2]];
      return [i + 1, ...(range().before === null ? [] : [moved(i + 1, before)]), ...names, plays, listeners, plays ? known / plays : null];
    });
    const columns = [["Rank"], ...(range().before === null ? [] : [["Change", "short"]]), ...(kind === "song" ? [["Song"]] : []), ["Artist"], ["Plays"], ["Listeners"], ["Known song", "share"]];
    return panel({
      id: `top-${kind}s`, title: kind === "song" ? "Which songs?" : "Which artists?", visible: true,
      about: `Names are as in the events. Change compares with the previous range; new means not among its first 100. ${means("plays")}`,
      columns, body, open: {column: range().before === null ? 1 : 2, items: found.map((row) => row[0])},
    });
  }

  function activity() {
    const {start, end} = range();
    const body = facts.days.filter(([date]) => date >= start && date <= end).map(([date, free, paid, all, ofFree, ofPaid]) => ({
      all: [date, free, paid, all], free: [date, free, 0, ofFree], paid: [date, 0, paid, ofPaid],
    })[state.level]).filter((row) => row[3]);
    const long = body.flatMap((row) => stacked.map((level, i) => ({day: day(row[0]), level, plays: row[1 + i]})));
    const [first, last] = d3.extent(long, (one) => one.day);
    const wide = true;
    return panel({
      id: "activity", title: "How much, day by day?", wide, colors: {Free: "free", Paid: "paid"},
      about: `Plays per day, UTC${day(facts.until) - day(start) >= 400 * 864e5 ? "; only the last 400 days" : ""}. ${means("paid_plays")} ${means("listeners")}`,
      columns: [["Day", "short"], ["Free plays"], ["Paid plays"], ["Listeners"]], body,
      chart: Plot.plot({
        style, width: widthOf(wide), height: 230, x: {type: "utc", label: null, ticks: last - first < 8 * 864e5 ? d3.utcDay : undefined}, y: {label: "plays", grid: true, tickFormat: "~s"}, color: {domain: stacked, range: ["var(--free)", "var(--paid)"]},
        marks: [Plot.rectY(long, {x: "day", y: "plays", fill: "level", interval: "day", inset: 0.5, ...tip((one) => `${dates.format(one.day)}\n${number.format(one.plays)} ${one.level} plays`)}), Plot.ruleY([0])],
      }),
    });
  }

  function hours() {
    const body = part("hour").map(([text, plays]) => [...text.split("/").map(Number), plays]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const most = Math.max(1, ...body.map((row) => row[2]));
    return panel({
      id: "hours", title: "When during the week?", about: "Plays by weekday and hour of their start, UTC. A stronger color means more plays.",
      columns: [["Weekday", "short"], ["Hour"], ["Plays"]], body: body.map((row) => [weekdays[row[0]], row[1], row[2]]),
      chart: Plot.plot({
        style, width: widthOf(false), height: 224, marginTop: 8, marginBottom: 40, padding: 0.04, x: {label: "hour, UTC", labelOffset: 34, domain: d3.range(24), ticks: [0, 6, 12, 18], tickFormat: (hour) => (hour % 3 ? "" : String(hour))}, y: {label: null, domain: [1, 2, 3, 4, 5, 6, 0], tickFormat: (weekday) => weekdays[weekday]},
        marks: [Plot.cell(body, {x: "1", y: "0", fill: "var(--main)", fillOpacity: (row) => 0.06 + (0.94 * row[2]) / most, ...tip((row) => `${weekdays[row[0]]}, ${row[1]} to ${row[1] + 1} h: ${number.format(row[2])} plays`)})],
        opacity: {type: "identity"},
      }),
    });
  }

  const part = (kind) => ((rows(facts.parts, range().key) || {})[kind] || []);
  const parts = (kind, id, title, about, label) =>
    panel({id, title, about, columns: [[label, "short"], ["Plays"], ["Listeners"]], body: part(kind), chart: part(kind).length ? bars(part(kind)) : null});

  function funnel() {
    const order = ["Upgrade", "Submit Upgrade", "Downgrade", "Submit Downgrade", "Cancel"];
    const body = order.map((page) => part("page").find((row) => row[0] === page) || [page, 0, 0]);
    return panel({
      id: "pages", title: "How far does a change of level get?",
      about: "Pages on the way from free to paid, back, and out: how often they were opened, and by how many users on the level that they had then.",
      columns: [["Page"], ["Times opened"], ["Users"]], body, chart: bars(body.map((row) => [row[0], row[2]])),
    });
  }

  function changes() {
    const long = facts.changes.flatMap(([week, up, down]) => [{week: day(week), what: "up", users: up}, {week: day(week), what: "down", users: -down}]);
    return panel({
      id: "level-changes", title: "Who starts to pay, and who stops?", colors: {"free to paid": "paid", "paid to free": "free"},
      about: "Changes between free and paid from one play of a user to the next, per ISO week with a change, for all users and at most the last 53 weeks.",
      columns: [["Week from", "short"], ["Free to paid"], ["Paid to free"]], body: facts.changes,
      chart: Plot.plot({
        style, width: widthOf(false), height: 200, x: mondays(facts.changes.map((row) => row[0])), y: {label: "changes", grid: true, tickFormat: (value) => String(Math.abs(value))}, color: {domain: ["up", "down"], range: ["var(--paid)", "var(--free)"]},
        marks: [Plot.rectY(long, {x: "week", y: "users", fill: "what", interval: d3.utcMonday, inset: 1, ...tip((one) => `${from(one.week)}\n${Math.abs(one.users)} ${one.what === "up" ? "free to paid" : "paid to free"}`)}), Plot.ruleY([0])],
      }),
    });
  }

  function retention() {
    const body = facts.retention.map(([first, since, cohort, came]) => [first, since, cohort, came, came / cohort]);
    const labels = [...new Set(body.map((row) => row[0]))];
    return panel({
      id: "retention", title: "Who comes back?",
      about: "The share of users with their first play in a week who also played in the weeks after it. Weeks are ISO weeks from Monday, UTC; all levels, first weeks among the last 13 weeks.",
      columns: [["First week from", "short"], ["Weeks since"], ["Users"], ["Came back"], ["Share", "share"]], body,
      chart: Plot.plot({
        style, width: widthOf(false), height: 26 * labels.length + 48, marginTop: 8, marginLeft: 80, marginBottom: 40, padding: 0.04, x: {label: "weeks since", labelOffset: 34, type: "band", tickFormat: (n) => String(n)}, y: {label: null, domain: labels},
        marks: [
          Plot.cell(body, {x: "1", y: "0", fill: "var(--main)", fillOpacity: (row) => row[4] * 0.35}),
          Plot.text(body, {x: "1", y: "0", text: (row) => (labels.length > 1 && Math.max(...body.map((one) => one[1])) > 8 ? `${Math.round(row[4] * 100)}` : share.format(row[4])), fill: "var(--ink)"}),
        ],
        opacity: {type: "identity"},
      }),
    });
  }

  function growth() {
    const kinds = ["new", "returned", "resurrected", "dormant"];
    const long = facts.growth.flatMap(([week, ...counts]) => kinds.map((kind, i) => ({week: day(week), kind, users: kind === "dormant" ? -counts[i] : counts[i]})));
    return panel({
      id: "growth", title: "Is the audience growing?", colors: {new: "new", returned: "returned", resurrected: "resurrected", dormant: "dormant"},
      about: "Listeners per ISO week, all levels, at most the last 53 weeks. New: their first play. Returned: played in the week before, too. Resurrected: played before, but not in that week. Dormant, below zero: played in the week before, but not in this one.",
      columns: [["Week from", "short"], ["New"], ["Returned"], ["Resurrected"], ["Dormant"]], body: facts.growth,
      chart: Plot.plot({
        style, width: widthOf(false), height: 230, x: mondays(facts.growth.map((row) => row[0])), y: {label: "users", grid: true, tickFormat: (value) => String(Math.abs(value))}, color: {domain: kinds, range: kinds.map((kind) => `var(--${kind})`)},
        marks: [Plot.rectY(long, {x: "week", y: "users", fill: "kind", interval: d3.utcMonday, inset: 1, ...tip((one) => `${from(one.week)}\n${number.format(Math.abs(one.users))} ${one.kind}`)}), Plot.ruleY([0])],
      }),
    });
  }

  function known() {
    const weeks = facts.ranges.filter((one) => one.period === "week").reverse();
    const body = weeks.map((one) => [one.start, ...((t) => [t[0], t[5], t[0] ? t[5] / t[0] : null])(rows(facts.totals, one.key) || empty)]);
    return panel({
      id: "known", title: "How many plays have a known song?", about: facts.metrics.match_rate.definition,
      columns: [["Week from", "short"], ["Plays"], ["With a known song"], ["Share", "share"]], body,
      chart: Plot.plot({
        style, width: widthOf(false), height: 180, marginLeft: 50, marginRight: 24, x: mondays(body.map((row) => row[0])), y: {label: "share", grid: true, zero: true, tickFormat: "~%"},
        marks: [Plot.lineY(body, {x: (row) => day(row[0]), y: "3", stroke: "var(--main)", strokeWidth: 2, marker: true, ...tip((row) => `Week from ${row[0]}: ${number.format(row[2])} of ${number.format(row[1])} plays`)}), Plot.ruleY([0])],
      }),
    });
  }

  const loads = () =>
    panel({
      id: "loads", title: "What was loaded, and what was left out?", visible: true, wide: true,
      about: "All files so far. A line that breaks the contract is rejected; a file with too many of them is refused as a whole. Times are UTC.",
      columns: [["Kind", "short"], ["Files"], ["Lines"], ["Accepted"], ["Rejected"], ["Files refused"], ["Published", "short"]], body: facts.loads,
    });

  function opened(focus) {
    const place = document.getElementById("opened");
    if (state.item === null) return place.replaceChildren();
    const [kind, song, artist, weeks, places] = facts.items[state.item];
    const monday = day(facts.firstWeek);
    const body = weeks.map(([week, free, paid]) => [d3.utcDay.offset(monday, 7 * week).toISOString().slice(0, 10), free, paid]);
    const long = body.flatMap((row) => stacked.map((level, i) => ({week: day(row[0]), level, plays: row[1 + i]})));
    const found = panel({
      id: "item", title: kind === "song" ? "Song, week by week" : "Artist, week by week", colors: {Free: "free", Paid: "paid"},
      about: "Plays per ISO week in the last 26 weeks, all levels. Names are as in the events.",
      columns: [["Week from", "short"], ["Free plays"], ["Paid plays"]], body,
      chart: Plot.plot({
        style, width: widthOf(false), height: 200, x: mondays(body.map((row) => row[0])), y: {label: "plays", grid: true}, color: {domain: stacked, range: ["var(--free)", "var(--paid)"]},
        marks: [Plot.rectY(long, {x: "week", y: "plays", fill: "level", interval: d3.utcMonday, inset: 1, ...tip((one) => `${from(one.week)}\n${number.format(one.plays)} ${one.level} plays`)}), Plot.ruleY([0])],
      }),
    });
    const where = panel({id: "item-places", title: "Where is it played most?", about: "Plays in the last 26 weeks; the top five places.", columns: [["Place"], ["Plays"]], body: places, visible: true});
    const title = make("h2", {tabindex: "-1", id: "item-name"}, name(kind === "song" ? `${song} – ${artist}` : artist));
    const close = make("button", {type: "button", onclick: () => go({item: null})}, "Close");
    place.replaceChildren(make("p", {class: "controls"}, title, close), make("div", {class: "grid"}, found, where));
    if (focus) {
      title.focus();
      place.scrollIntoView({block: "center"});
    }
  }

  function draw(focus) {
    document.getElementById("range").value = state.range;
    document.querySelector(`#level input[value=${state.level}]`).checked = true;
    document.getElementById("shown").textContent = `${range().label}, ${levels[state.level].toLowerCase()} plays`;
    drawTiles();
    opened(focus);
    document.getElementById("panels").replaceChildren(
      activity(), listOf("song"), listOf("artist"), hours(), growth(), retention(), changes(),
      parts("state", "places", "Where?", "Plays by the first state in the name of the listener's metropolitan area.", "State"),
      parts("device", "devices", "With which devices?", "Device families by the User-Agent header, as ua-parser reads it, or the system if it names no device. A listener with several devices counts for each.", "Device"),
      funnel(), known(), loads(),
    );
    document.documentElement.dataset.ready = "yes";
  }

  // The URL contains the range, level and item shown, so that the user can share it and use the Back button
  // of the browser. The item is a hash of its full name, because the next version of the page numbers the
  // items differently and truncates long names.
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    state.range = facts.ranges.some((one) => one.id === given.get("range")) ? given.get("range") : facts.ranges[0].id;
    state.level = given.get("level") in levels ? given.get("level") : "all";
    const at = facts.items.findIndex((item) => item[5] === given.get("item"));
    state.item = at < 0 ? null : at;
  }

  function go(next) {
    const to = {...state, ...next};
    const hash = new URLSearchParams({range: to.range, level: to.level, ...(to.item === null ? {} : {item: facts.items[to.item][5]})});
    location.hash = hash;
  }

  function start() {
    const published = facts.loads.length ? `; published ${facts.loads[0][6]} UTC` : "";
    const count = (n, thing) => `${number.format(n)} ${thing}${n === 1 ? "" : "s"}`;
    const out = facts.loads.filter((row) => row[4] + row[5]).map((row) => `${row[0]}: ${count(row[4], "line")} rejected, ${count(row[5], "file")} refused`);
    document.getElementById("until").textContent = `Plays from ${dates.format(day(facts.from))} to ${dates.format(day(facts.until))}${published}; ${out.join("; ") || "no line rejected, no file refused"}`;
    const select = document.getElementById("range");
    const groups = {Days: ["all", "last_7", "last_28"], Months: ["month"], Weeks: ["week"]};
    for (const [label, periods] of Object.entries(groups)) {
      const some = facts.ranges.filter((one) => periods.includes(one.period));
      select.append(make("optgroup", {label}, ...some.map((one) => make("option", {value: one.id}, one.label))));
    }
    select.addEventListener("change", () => go({range: select.value}));
    for (const [level, label] of Object.entries(levels)) {
      document.getElementById("level").append(make("label", {}, make("input", {type: "radio", name: "level", value: level, onchange: () => go({level})}), ` ${label}`));
    }
    let item = null;
    const show = () => {
      read();
      draw(state.item !== null && state.item !== item);
      item = state.item;
    };
    addEventListener("hashchange", show);
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) draw(false);
      width = innerWidth;
    });
    show();
  }

  start();
})();
