// A click on a figure shows it as large as the window; another click, or Escape, ends that.
document.addEventListener("click", (event) => {
  const shown = document.querySelector("dialog.figure");
  if (shown) {
    shown.remove();
  } else if (event.target.matches("div.cell_output img")) {
    const dialog = document.createElement("dialog");
    dialog.className = "figure";
    dialog.append(event.target.cloneNode());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
});
