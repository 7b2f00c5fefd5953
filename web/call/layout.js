// Where the tiles go: numbers in, rectangles out. Tile 0 is our own.

const gap = 12;
const widest = 2.15; // wide phones' rows; a 16:9 picture loses a sixth of its height
const narrowest = 4 / 5;

const clampRatio = (width, height) => {
  const ratio = Math.min(widest, Math.max(narrowest, width / height));
  return width / height > ratio ? { width: height * ratio, height } : { width, height: width / ratio };
};

/** The largest equal tiles that fit; the last row is centred. */
function even({ width, height }, count) {
  let best = { area: -1 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (width - gap * (columns - 1)) / columns,
      height: (height - gap * (rows - 1)) / rows,
    };
    const tile = clampRatio(Math.max(1, cell.width), Math.max(1, cell.height));
    const area = tile.width * tile.height;
    if (area > best.area) best = { area, columns, rows, tile };
  }
  const { columns, rows, tile } = best;
  const top = (height - rows * tile.height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (width - inRow * tile.width - (inRow - 1) * gap) / 2;
    return {
      x: left + (index % columns) * (tile.width + gap),
      y: top + row * (tile.height + gap),
      ...tile,
    };
  });
}

/** One other: the whole stage, and ourselves small in its corner. */
function pair({ width, height }) {
  const isTall = height > width;
  const small = isTall
    ? { width: Math.min(120, width * 0.3), height: Math.min(160, width * 0.4) }
    : { width: Math.min(240, width * 0.24), height: Math.min(135, width * 0.135) };
  return [
    { x: width - small.width - gap, y: height - small.height - gap, ...small, isOnTop: true },
    { x: 0, y: 0, width, height },
  ];
}

/** A shared screen: as large as can be, the others in a row or column beside it. */
function spotlight({ width, height }, count, spot) {
  const others = count - 1;
  const isTall = height > width;
  const room = isTall ? { width, height: height * 0.2 } : { width: Math.min(220, width * 0.22), height };
  const strip = isTall
    ? { width: Math.min((room.width - gap * (others - 1)) / others, (room.height * 16) / 9), height: room.height }
    : { width: room.width, height: Math.min((room.height - gap * (others - 1)) / others, room.width / 1.4) };
  const big = isTall
    ? { x: 0, y: 0, width, height: height - room.height - gap }
    : { x: 0, y: 0, width: width - room.width - gap, height };
  const used = others * (isTall ? strip.width : strip.height) + (others - 1) * gap;
  const start = ((isTall ? width : height) - used) / 2;
  const place = (position) => (isTall
    ? { x: start + position * (strip.width + gap), y: height - strip.height, ...strip }
    : { x: width - strip.width, y: start + position * (strip.height + gap), ...strip });
  return Array.from({ length: count }, (_, index) => {
    if (index === spot) return big;
    return place(index < spot ? index : index - 1);
  });
}

/**
 * @param {{width: number, height: number}} stage
 * @param {number} count how many tiles, ours included
 * @param {number} [spot] the tile with a shared screen; -1 for none
 * @returns {{x: number, y: number, width: number, height: number, isOnTop?: boolean}[]}
 */
export function layOut(stage, count, spot = -1) {
  if (count === 2 && spot !== 0) return pair(stage);
  if (spot >= 0 && count > 1) return spotlight(stage, count, spot);
  return even(stage, count);
}
