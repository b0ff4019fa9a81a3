"use strict";
// Draws the cone of a net: its cells in columns, what a cell reads to the left of it.
const source = document.getElementById("data");
if (source) {
  const { nodes, outputs } = JSON.parse(source.textContent);
  const root = document.getElementById("root"), size = document.getElementById("size"), svg = document.getElementById("cone");
  const WIDTH = 120, HEIGHT = 30, GAP = 50, SPACE = 10;

  for (const [name, node] of outputs) root.add(new Option(name, node));

  const element = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Nearest cells first, as many as are wanted; each stands as far left as the longest way that found it.
  const cone = (start, most) => {
    const column = new Map([[start, 0]]), queue = [start];
    for (const node of queue) {
      for (const read of nodes[node][2]) {
        if (column.has(read) || column.size >= most) continue;
        column.set(read, column.get(node) + 1);
        queue.push(read);
      }
    }
    return column;
  };

  const draw = (start) => {
    const column = cone(start, Number(size.value) || 40), rows = [], place = new Map();
    const last = Math.max(...column.values());
    for (const [node, at] of column) {
      rows[at] = rows[at] || 0;
      place.set(node, [(last - at) * (WIDTH + GAP) + 5, rows[at]++ * (HEIGHT + SPACE) + 5]);
    }
    const width = (last + 1) * (WIDTH + GAP), height = Math.max(...rows) * (HEIGHT + SPACE) + 10;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.width = `${width}px`;
    svg.style.height = `${height}px`;
    for (const [node, [x, y]] of place) {
      for (const read of nodes[node][2].filter((n) => place.has(n))) {
        const [a, b] = place.get(read);
        svg.append(element("line", { x1: a + WIDTH, y1: b + HEIGHT / 2, x2: x, y2: y + HEIGHT / 2 }));
      }
    }
    for (const [node, [x, y]] of place) {
      const [name, origin, reads] = nodes[node];
      const kind = /reg|fdre/.test(name) && reads.length ? "cell register" : reads.length ? "cell" : "cell port";
      const box = element("rect", { class: kind, x, y, width: WIDTH, height: HEIGHT, rx: 4 });
      box.append(element("title", {}, `${name} ${origin}`));
      box.addEventListener("click", () => draw(node));
      svg.append(box, element("text", { x: x + 5, y: y + 13 }, name), element("text", { x: x + 5, y: y + 25 }, origin));
    }
  };

  root.addEventListener("change", () => draw(Number(root.value)));
  size.addEventListener("change", () => draw(Number(root.value)));
  if (outputs.length) draw(outputs[0][1]);
}
