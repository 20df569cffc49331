// The niceties of the form of an entry: rows without a reload, words picked from a list, and what is typed kept for
// later. Each of them is a button that posts the form where this file does not run.
(() => {
  const form = document.getElementById("entry-form");
  if (!form) return;
  const say = (text) => { document.getElementById("said").textContent = text; };
  const tell = () => form.dispatchEvent(new Event("change", { bubbles: true }));

  // Rows: places, and transfers in their order of precedence.

  const rowsIn = (box) => [...box.querySelectorAll(":scope > .row")];

  function renumber(box) {
    const group = box.dataset.rows;
    const place = new RegExp(`\\b${group}\\.(\\d+|__at__)(?=\\.|$)`, "g");
    rowsIn(box).forEach((row, at) => {
      for (const each of row.querySelectorAll("[name], [id], [for], [aria-describedby]")) {
        for (const attribute of ["name", "id", "for", "aria-describedby", "value"]) {
          // A value of somebody's own stays; only a button's says which row it is about.
          if (attribute === "value" && each.tagName !== "BUTTON") continue;
          const said = each.getAttribute(attribute);
          if (said) each.setAttribute(attribute, said.replace(place, `${group}.${at}`));
        }
      }
      for (const number of row.querySelectorAll(".row-number")) number.textContent = at + 1;
    });
  }

  function addRow(box) {
    const template = box.querySelector(":scope > template");
    template.before(template.content.cloneNode(true));
    renumber(box);
    rowsIn(box).at(-1).querySelector("input, select").focus();
  }

  function removeRow(box, row) {
    const next = row.nextElementSibling?.matches(".row") ? row.nextElementSibling : row.previousElementSibling;
    const name = row.querySelector("legend").textContent.trim();
    row.remove();
    renumber(box);
    (next?.querySelector("input, select") ?? box.querySelector("[data-row=add]")).focus();
    say(`${name} is taken out.`);
  }

  function moveRow(box, row, step) {
    const rows = rowsIn(box);
    const other = rows[rows.indexOf(row) + step];
    if (!other) return say(step < 0 ? "It is the first already." : "It is the last already.");
    if (step < 0) other.before(row); else other.after(row);
    renumber(box);
    // Taking a row out of the page and putting it back takes the focus away, and whoever moves it moves it on.
    row.querySelector(`[data-row=${step < 0 ? "up" : "down"}]`).focus();
    say(`Now number ${rowsIn(box).indexOf(row) + 1} of ${rows.length}.`);
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-row], [data-add]");
    if (!button) return;
    event.preventDefault();
    if (button.dataset.add) return pick(button.dataset.add);
    const box = button.closest("[data-rows]"), row = button.closest(".row");
    const act = button.dataset.row;
    if (act === "add") addRow(box);
    else if (act === "remove") removeRow(box, row);
    else moveRow(box, row, act === "up" ? -1 : 1);
    tell();
  });

  // Words used before: picked, they stand on a line of their own.

  function pick(name) {
    const from = document.getElementById(`${name}.more`), to = document.getElementById(name);
    const word = from.value.trim(), lines = to.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (!word) return from.focus();
    if (!lines.includes(word)) to.value = [...lines, word].join("\n");
    from.value = "";
    from.focus();
    say(`${word} is added.`);
    tell();
  }

  form.addEventListener("keydown", (event) => {
    const name = event.target.dataset?.addsTo;
    if (event.key !== "Enter" || !name) return;
    event.preventDefault();
    pick(name);
  });

  // What is typed is kept for the person every few seconds and on leaving, until it is saved.

  if (!("keepsItself" in form.dataset)) return;
  const PAUSE = 4000;
  const kept = document.getElementById("kept");
  const typed = () => new URLSearchParams(new FormData(form)).toString();
  let last = typed(), waiting = null, isLeaving = false;

  async function keep() {
    waiting = null;
    const now = typed();
    if (now === last || isLeaving) return;
    try {
      const answer = await fetch(form.dataset.draft, { method: "POST", body: new URLSearchParams(now), redirect: "error" });
      if (!answer.ok) throw new Error(answer.status);
      const at = new DOMParser().parseFromString(await answer.text(), "text/html").body.textContent;
      last = now;
      kept.textContent = at ? `Kept for you, ${at}.` : "";
    } catch {
      kept.textContent = "Not kept for you just now: it stands in this window alone.";
      waiting ??= setTimeout(keep, PAUSE * 4);
    }
  }

  for (const event of ["input", "change"]) {
    form.addEventListener(event, () => { waiting ??= setTimeout(keep, PAUSE); });
  }
  form.addEventListener("submit", () => { isLeaving = true; });
  window.addEventListener("pagehide", () => {
    const now = typed();
    if (!isLeaving && now !== last) navigator.sendBeacon(form.dataset.draft, new URLSearchParams(now));
  });
  window.addEventListener("pageshow", () => { isLeaving = false; });
})();
