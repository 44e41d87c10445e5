// Makes the participant's pages better; none of them needs it. It measures how a page is used
// (never what is written), enlarges examples, and keeps a double click from sending twice.
"use strict";

(() => {
  const form = document.querySelector("form[data-page]");
  const measured = {
    opened_at: Date.now(), hidden_ms: 0, hidden_count: 0, blur_count: 0,
    pastes: {}, keystrokes: {}, zooms: {},
  };
  const started = performance.now();
  let hiddenSince = null;

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      measured.hidden_count += 1;
      hiddenSince = performance.now();
    } else if (hiddenSince !== null) {
      measured.hidden_ms += Math.round(performance.now() - hiddenSince);
      hiddenSince = null;
    }
  });
  window.addEventListener("blur", () => { measured.blur_count += 1; });

  const count = (counts, key) => { counts[key] = (counts[key] || 0) + 1; };

  function report() {
    return JSON.stringify({
      ...measured,
      on_page_ms: Math.round(performance.now() - started),
      window_width: window.innerWidth,
      window_height: window.innerHeight,
      screen_width: window.screen.width,
      screen_height: window.screen.height,
      pixel_ratio: window.devicePixelRatio,
      mobile: Boolean(navigator.userAgentData && navigator.userAgentData.mobile),
    });
  }

  if (form) {
    const question = (field) => field.name.replace(/^q-/, "");
    form.addEventListener("paste", (event) => count(measured.pastes, question(event.target)));
    form.addEventListener("keydown", (event) => {
      if (event.target.tagName === "TEXTAREA") count(measured.keystrokes, question(event.target));
    });

    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) {
        event.preventDefault();
        return;
      }
      sent = true;
      form.elements.client.value = report();
    });
    // Back from the browser's page cache, or a failed network: the form may be sent again.
    window.addEventListener("pageshow", () => { sent = false; });
    window.addEventListener("online", () => { sent = false; });
    setInterval(() => { sent = false; }, 15000);

    // A screen that is too small is told so at once, before the participant reads on.
    const minimum = Number(form.dataset.minimumScreenWidth || 0);
    if (minimum && window.screen.width < minimum) form.requestSubmit();
  }

  const summary = document.querySelector("[data-focus]");
  if (summary) summary.focus();

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-zoom]");
    if (!link || event.metaKey || event.ctrlKey || !window.HTMLDialogElement) return;
    event.preventDefault();
    count(measured.zooms, link.dataset.zoom);
    const dialog = document.createElement("dialog");
    dialog.className = "zoom";
    const pictures = document.createElement("div");
    pictures.className = "pictures";
    for (const picture of link.children) {
      if (!picture.classList.contains("hidden")) pictures.append(picture.cloneNode(true));
    }
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button";
    close.textContent = link.dataset.close;
    const first = link.querySelector("img");
    dialog.setAttribute("aria-label", first.alt);
    dialog.append(pictures, close);
    const chart = link.parentElement.querySelector(".chart");
    if (chart) close.before(chart.cloneNode(true));
    dialog.addEventListener("click", (inside) => {
      if (inside.target === dialog || inside.target === close) dialog.close();
    });
    dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  });

  const problem = document.querySelector("form[data-problem]");
  if (problem) {
    problem.addEventListener("submit", async (event) => {
      event.preventDefault();
      const status = problem.querySelector("[data-sent]");
      try {
        const reply = await fetch(problem.action, { method: "POST", body: new FormData(problem) });
        status.textContent = reply.ok ? status.dataset.sent : status.dataset.failed;
        if (reply.ok) problem.reset();
      } catch {
        status.textContent = status.dataset.failed;
      }
    });
  }
})();
