for (const box of document.querySelectorAll(".command")) {
  const button = document.createElement("button"), words = document.body.dataset;
  button.textContent = words.copy;
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("pre").textContent)
    .then(() => { button.textContent = words.copied; });
  box.append(button);
}
