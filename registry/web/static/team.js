// The niceties of the workbench. Every act works without this file.

// A menu that was opened closes on Escape, or when something else is clicked.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// What is wrong with a form is read out and seen first.
document.querySelector(".problems")?.focus();

// An act that cannot be undone asks once more: <button data-ask="…">.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});
