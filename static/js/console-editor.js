// Makes the text of a design easier to work on; the page needs none of it. Line numbers beside the
// text, those with a fault marked; a link to a line goes there; leaving with unsaved text asks.
"use strict";

(() => {
  const frame = document.querySelector("[data-editor]");
  const text = frame && frame.querySelector("textarea");
  if (!text) return;
  const form = text.form;

  const numbers = document.createElement("div");
  numbers.className = "line-numbers";
  numbers.setAttribute("aria-hidden", "true");
  frame.prepend(numbers);
  frame.classList.add("numbered");

  function number() {
    const wanted = text.value.split("\n").length;
    while (numbers.childElementCount > wanted) numbers.lastElementChild.remove();
    while (numbers.childElementCount < wanted) {
      const line = document.createElement("span");
      line.textContent = numbers.childElementCount + 1;
      numbers.append(line);
    }
    follow();
  }

  function follow() { numbers.scrollTop = text.scrollTop; }

  function mark() {
    for (const line of numbers.querySelectorAll(".faulty")) line.classList.remove("faulty");
    for (const fault of document.querySelectorAll("#faults li[data-line]")) {
      const line = numbers.children[Number(fault.dataset.line) - 1];
      if (line) line.classList.add("faulty");
    }
    text.setAttribute("aria-invalid", String(Boolean(document.querySelector("#faults .error"))));
  }

  function show(line) {
    const before = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = text.value.indexOf("\n", before);
    text.focus();
    text.setSelectionRange(before, end < 0 ? text.value.length : end);
    const height = numbers.firstElementChild.getBoundingClientRect().height;
    text.scrollTop = Math.max((line - 1) * height - text.clientHeight / 3, 0);
    text.scrollLeft = 0;
    follow();
  }

  text.addEventListener("scroll", follow);
  text.addEventListener("input", number);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    if (!link) return;
    event.preventDefault();
    show(Number(link.dataset.line));
  });
  document.addEventListener("htmx:afterSettle", mark);

  const saved = text.value;
  let unsaved = form.hasAttribute("data-unsaved");
  text.addEventListener("input", () => { unsaved = unsaved || text.value !== saved; });
  form.addEventListener("submit", () => { unsaved = false; });
  for (const link of document.querySelectorAll("a[data-leave]")) {
    link.addEventListener("click", () => { unsaved = false; });
  }
  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  number();
  mark();
})();
