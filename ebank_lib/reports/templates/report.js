/* A link to what stands in a closed chapter opens it; #all opens every chapter. Without script browsers do the first. */
(function () {
  function open() {
    var id = decodeURIComponent(location.hash.slice(1)), at = document.getElementById(id);
    if (id === "all") document.querySelectorAll("details.chapter").forEach(function (one) { one.open = true; });
    for (var one = at; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    if (at) at.scrollIntoView();
  }
  addEventListener("hashchange", open);
  document.addEventListener("click", function (event) {   /* the same link again changes no hash */
    var link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) open();
  });
  open();
})();
