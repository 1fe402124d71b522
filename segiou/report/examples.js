/* images by choice and class; a click on the row of a class shows the images that are worst for it */
function browse(data) {
  const choice = document.getElementById("example-choice"), classes = document.getElementById("example-class");
  const list = document.getElementById("example-list"), rest = document.getElementById("example-names");
  const figures = [...list.children];

  function wanted(place) {
    if (place !== null && choice.value === "worst" && data.ranks.length) return data.ranks[place];
    const chosen = data.choices[choice.value] ?? [];
    return chosen.filter((figure) => place === null || data.present[figure].includes(place)).map((figure) => ["", null, figure]);
  }

  function show() {
    const place = classes.value === "" ? null : Number(classes.value);
    const named = place === null ? "" : classes.selectedOptions[0].textContent;
    const found = wanted(place);
    for (const figure of figures) figure.hidden = true;
    rest.replaceChildren();
    for (const [name, score, figure] of found) {
      const text = score === null ? "" : `IoU of ${named} ${score.toFixed(4)}`;
      if (figure === null) {
        const item = document.createElement("li");
        item.textContent = `${name}: ${text}`;
        rest.append(item);
      } else {
        figures[figure].hidden = false;
        figures[figure].querySelector(".of-class").textContent = text;
        list.append(figures[figure]);
      }
    }
    document.getElementById("example-rest").hidden = !rest.children.length;
    const number = `${found.length} image${found.length === 1 ? "" : "s"}`;
    document.getElementById("example-said").textContent = place === null ? `${number}.`
      : choice.value === "worst" ? `${number} with the lowest IoU of ${named}.` : `${number} with ${named}.`;
  }

  document.getElementById("class-table").tBodies[0].addEventListener("click", (event) => {
    const picked = event.target.closest("tr")?.querySelector("[data-class]");
    if (!picked) return;
    choice.value = "worst";
    classes.value = picked.dataset.class;
    show();
    const title = document.getElementById("worst-title");
    title.focus({ preventScroll: true });
    title.scrollIntoView();
  });
  for (const control of [choice, classes]) control.addEventListener("change", show);
}

const exampleData = document.getElementById("example-data");
if (exampleData) browse(JSON.parse(exampleData.textContent));
