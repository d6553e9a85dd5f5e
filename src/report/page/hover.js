// Shows what a mark says at once, also where it is touched; without it the browser's own title does.
(() => {
  const box = document.createElement("div");
  box.id = "says";
  box.hidden = true;
  document.body.append(box);
  for (const title of document.querySelectorAll("svg.plot title")) {
    title.parentNode.dataset.says = title.textContent;
    title.remove();
  }
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest("[data-says]");
    box.hidden = !mark;
    if (!mark) return;
    box.textContent = mark.dataset.says;
    const left = Math.min(event.clientX + 12, innerWidth - box.offsetWidth - 8);
    const top = event.clientY + 14;
    box.style.left = Math.max(8, left) + "px";
    box.style.top = (top + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 10 : top) + "px";
  });
})();
// What is folded is printed all the same.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
