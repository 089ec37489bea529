// What the page draws itself: the mask's outline, and the heat map of the change.

// OpenCV's INFERNO, every fifth of its 256 colours.
const INFERNO =
  "00000402020c0504170a072210092d160b391e0c45260c512f0a5b380962400a67490b6a510e6c59106e61136e69166e71196e781c6d801f6c88226a" +
  "902568982766a02a63a82e5fb0315bb73557bf3952c63d4dcc4248d34743d94d3ddf5337e45a31e9612bed6925f1711ff47918f78212f98b0bfa9407" +
  "fb9d07fca60cfcb014fbba1ffac42af8cd37f6d746f4e156f2ea69f2f27df5f992fcffa4";
const STOP = 5;
const HEAT_TOP = 100; // grey levels

const BRIGHT = "#beff28";
const DARK = "#101418";
const LONGER = 768; // pixels of the outline's canvas: as many at least, and no more for a larger picture
const DIRECTIONS = 24;

const COLOURS = Array.from({ length: 256 }, (_, level) => {
  const stops = [Math.floor(level / STOP), Math.ceil(level / STOP)];
  return [0, 2, 4].map((place) => {
    const [low, high] = stops.map((stop) => parseInt(INFERNO.slice(6 * stop + place, 6 * stop + place + 2), 16));
    return Math.round(low + (high - low) * (level / STOP - stops[0]));
  });
});

function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
}

function pixels(bitmap) {
  const context = canvasOf(bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Draw the largest channel change of each pixel, from black (0) to yellow (100 grey levels and more). */
export function drawHeat(canvas, normal, image) {
  const before = pixels(normal).data;
  const result = pixels(image);
  const after = result.data;
  for (let at = 0; at < after.length; at += 4) {
    const change = Math.max(
      Math.abs(after[at] - before[at]),
      Math.abs(after[at + 1] - before[at + 1]),
      Math.abs(after[at + 2] - before[at + 2]),
    );
    [after[at], after[at + 1], after[at + 2]] = COLOURS[Math.min(255, Math.round((change * 255) / HEAT_TOP))];
  }
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(result, 0, 0);
}

/** A mask (white on black) as a stencil: opaque where it is white. */
function stencil(mask) {
  const found = pixels(mask);
  for (let at = 0; at < found.data.length; at += 4) found.data[at + 3] = found.data[at];
  const context = canvasOf(mask.width, mask.height);
  context.putImageData(found, 0, 0);
  return context.canvas;
}

/** Draw the image with a bright line in a dark casing around the mask, outside of it, also where it meets the edge. */
export function drawOutline(canvas, image, mask) {
  const longer = Math.max(image.width, image.height);
  const scale = longer > LONGER ? LONGER / longer : Math.ceil(LONGER / longer);
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const shape = stencil(mask);

  const picture = (target) => {
    target.imageSmoothingEnabled = scale < 1;
    target.drawImage(image, 0, 0, width, height);
  };
  const paint = (colour, cut) => {
    const layer = canvasOf(width, height);
    layer.imageSmoothingEnabled = false;
    cut(layer);
    layer.globalCompositeOperation = "source-in";
    if (typeof colour === "string") {
      layer.fillStyle = colour;
      layer.fillRect(0, 0, width, height);
    } else colour(layer);
    context.drawImage(layer.canvas, 0, 0);
  };
  const grown = (radius) => (layer) => {
    for (let direction = 0; direction < DIRECTIONS; direction++) {
      const angle = (2 * Math.PI * direction) / DIRECTIONS;
      layer.drawImage(shape, radius * Math.cos(angle), radius * Math.sin(angle), width, height);
    }
  };
  const atEdge = (depth) => (layer) => {
    layer.drawImage(shape, 0, 0, width, height);
    layer.clearRect(depth, depth, width - 2 * depth, height - 2 * depth);
  };

  picture(context);
  const line = Math.max(2, Math.round(width / 130));
  paint(DARK, grown(line + 2));
  paint(BRIGHT, grown(line + 1));
  paint(DARK, grown(1));
  paint(picture, (layer) => layer.drawImage(shape, 0, 0, width, height));
  paint(BRIGHT, atEdge(line - 1));
}
