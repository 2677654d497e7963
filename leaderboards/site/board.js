"use strict";
// Sorts and filters the table of a board. The whole view stands in the address, so that it can be shared.
(() => {
  const table = document.getElementById("board");
  const form = document.getElementById("controls");
  const count = document.getElementById("count");
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.querySelectorAll("tr[data-index]")];
  const homes = rows.map((row) => row.parentElement);
  const bands = [...table.tBodies];
  const boxes = [...form.querySelectorAll("input[data-part]")];
  const first = { column: "rank", direction: "ascending" };
  let sort = { ...first };

  const field = (name) => form.elements[name];
  const headOf = (id) => heads.find((head) => head.dataset.column === id);

  // ---- the view as an address

  function readAddress() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return false; // a link to a place on the page
    const view = new URLSearchParams(text);
    const [column, direction] = (view.get("sort") || "").split(".");
    const known = headOf(column) && ["ascending", "descending"].includes(direction);
    sort = known ? { column, direction } : { ...first };
    field("q").value = view.get("q") || "";
    for (const name of ["modality", "state"]) {
      const wanted = view.get(name) || "";
      field(name).value = [...field(name).options].some((option) => option.value === wanted) ? wanted : "";
    }
    for (const box of form.querySelectorAll("input[data-flag]")) {
      const told = view.get(box.name);
      box.checked = told === "1" || told === "0" ? told === "1" : box.defaultChecked;
    }
    const more = (view.get("show") || "").split(",");
    const less = (view.get("hide") || "").split(",");
    for (const box of boxes) {
      box.checked = (box.defaultChecked || more.includes(box.value)) && !less.includes(box.value);
    }
    return true;
  }

  function writeAddress() {
    const view = [];
    const add = (name, value) => value && view.push(`${name}=${encodeURIComponent(value).replace(/%2C/g, ",")}`);
    if (sort.column !== first.column || sort.direction !== first.direction) {
      add("sort", `${sort.column}.${sort.direction}`);
    }
    for (const name of ["q", "modality", "state"]) add(name, field(name).value);
    for (const box of form.querySelectorAll("input[data-flag]")) {
      if (box.checked !== box.defaultChecked) add(box.name, box.checked ? "1" : "0");
    }
    add("show", boxes.filter((box) => box.checked && !box.defaultChecked).map((box) => box.value).join(","));
    add("hide", boxes.filter((box) => !box.checked && box.defaultChecked).map((box) => box.value).join(","));
    const hash = view.length ? `#${view.join("&")}` : location.href.split("#")[0];
    if (view.length ? location.hash !== hash : location.hash) history.replaceState(null, "", hash);
  }

  // ---- the table

  function keyOf(row, index) {
    const text = row.cells[index].dataset.key;
    return text === undefined ? null : Number(text);
  }

  function sorted() {
    const index = heads.findIndex((head) => head.dataset.column === sort.column);
    const sign = sort.direction === "ascending" ? 1 : -1;
    const keyed = rows.map((row, place) => ({ row, place, key: keyOf(row, index) }));
    // what has no number comes last either way; equal rows keep the order of the board
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      return sign * (a.key - b.key) || a.place - b.place;
    });
    return keyed;
  }

  function drawOrder() {
    const plain = sort.column === first.column && sort.direction === first.direction;
    for (const { row, place } of plain ? rows.map((row, place) => ({ row, place })) : sorted()) {
      (plain ? homes[place] : bands[0]).append(row);
    }
    for (const head of heads) {
      if (head.dataset.column === sort.column) head.setAttribute("aria-sort", sort.direction);
      else head.removeAttribute("aria-sort");
    }
    table.classList.toggle("flat", !plain);
    return plain;
  }

  function isShown(row) {
    const told = row.dataset;
    const looked = field("q").value.trim().toLowerCase();
    return looked.split(/\s+/).every((word) => told.text.includes(word))
      && (!field("modality").value || told.modality === field("modality").value)
      && (!field("state").value || told.state === field("state").value)
      && (!field("cross").checked || told.cross === "1")
      && (field("floors").checked || told.floor !== "1");
  }

  function drawRows(plain) {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !isShown(row);
      shown += !row.hidden;
    }
    for (const band of bands) {
      const head = band.querySelector("tr.band");
      head.hidden = !plain || ![...band.rows].some((row) => row !== head && !row.hidden);
    }
    document.getElementById("none").hidden = shown > 0;
    const text = `${shown} of ${rows.length} systems shown`;
    if (count.textContent !== text) count.textContent = text;
  }

  function drawColumns() {
    const away = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    heads.forEach((head, index) => {
      const hidden = away.has(head.dataset.column);
      if (head.hidden === hidden) return;
      head.hidden = hidden;
      for (const row of rows) row.cells[index].hidden = hidden;
    });
    for (const cell of table.querySelectorAll("tr.band th")) cell.colSpan = heads.length - away.size;
    for (const all of form.querySelectorAll("input[data-group]")) {
      const inside = boxes.filter((box) => box.dataset.part === all.dataset.group);
      const on = inside.filter((box) => box.checked).length;
      all.checked = on === inside.length;
      all.indeterminate = on > 0 && on < inside.length;
    }
    table.classList.toggle("quiet", !field("ends").checked);
  }

  function draw() {
    drawColumns();
    drawRows(drawOrder());
  }

  function change() {
    draw();
    writeAddress();
  }

  // ---- what readers do

  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { column, first: begin } = button.closest("th").dataset;
    const turned = sort.direction === "ascending" ? "descending" : "ascending";
    sort = { column, direction: sort.column === column ? turned : begin };
    change();
  });

  form.addEventListener("input", (event) => {
    const all = event.target.dataset.group;
    for (const box of all ? boxes.filter((each) => each.dataset.part === all) : []) box.checked = event.target.checked;
    change();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    sort = { ...first };
    setTimeout(change); // after the fields have their first values again
  });

  const menu = document.getElementById("columns");
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey;
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "/" && !typing) {
      event.preventDefault();
      field("q").focus();
    }
  });
  window.addEventListener("hashchange", () => readAddress() && draw());

  form.hidden = false;
  document.documentElement.classList.add("js");
  readAddress();
  draw();
})();
