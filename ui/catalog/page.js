// What happens in the browser alone: clocks that tick, links that are copied, videos that play where they stand.
(() => {
  if (window.wodPage) return;
  window.wodPage = true;

  const ends = new WeakMap();
  const two = (number) => String(number).padStart(2, "0");

  function remaining(element) {
    // From the seconds that the server says, not from the browser's clock, which may be wrong.
    if (!ends.has(element)) ends.set(element, performance.now() + 1000 * Number(element.dataset.wodLeft));
    return Math.max(0, Math.round((ends.get(element) - performance.now()) / 1000));
  }

  function tick() {
    for (const element of document.querySelectorAll("[data-wod-left]")) {
      const left = remaining(element);
      const hours = Math.floor(left / 3600), minutes = Math.floor(left / 60) % 60;
      const shown = hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
      if (element.textContent !== shown) element.textContent = shown;
    }
  }
  setInterval(tick, 1000);
  new MutationObserver(tick).observe(document.body, { childList: true, subtree: true });
  tick();

  async function copy(button) {
    const said = button.querySelector("[data-wod-said]");
    try {
      await navigator.clipboard.writeText(new URL(button.dataset.wodCopy, document.baseURI).href);
      said.textContent = "Copied";
    } catch {
      window.prompt("Copy this link:", new URL(button.dataset.wodCopy, document.baseURI).href);
      return;
    }
    setTimeout(() => { said.textContent = said.dataset.wodSaid; }, 2500);
  }

  function play(button) {
    const frame = document.createElement("iframe");
    frame.src = button.dataset.wodVideo;
    frame.title = button.getAttribute("aria-label");
    frame.allow = "autoplay; encrypted-media; fullscreen; picture-in-picture";
    frame.referrerPolicy = "strict-origin-when-cross-origin";
    button.replaceWith(frame);
    frame.focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-wod-copy], [data-wod-video]");
    if (button?.dataset.wodCopy) copy(button);
    else if (button?.dataset.wodVideo) play(button);
  });
})();
