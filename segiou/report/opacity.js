/* how strong the colours of classes are over the photo */
const opacity = document.getElementById("opacity");
opacity?.addEventListener("input", () => {
  document.documentElement.style.setProperty("--opacity", opacity.value / 100);
});
