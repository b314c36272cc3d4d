/** Where names stand in a picture, so that they can be read wherever what they name meets. */

/** A dot and its name, and how wide half of that is. */
interface Named {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly half: number;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  /** Of the dots. */
  readonly radius: number;
  /** Of the type. */
  readonly size: number;
}

/** The same with the middle of each name and its base line: below its dot or above it, as near as no other name is, and in the picture. One that has no room is left out. */
export function placeNames(all: readonly Named[], { width, height, radius, size }: Picture): readonly Named[] {
  const placed: Named[] = [];
  for (const { text, x, y, half } of all) {
    const middle = Math.min(width - half, Math.max(half, x));
    const isFree = (line: number): boolean =>
      line > size && line < height - size / 3 && !placed.some((it) => Math.abs(it.y - line) < size * 1.1 && Math.abs(it.x - middle) < it.half + half);
    const lines = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((row) => [y + radius + size * (1.1 + 1.2 * row), y - radius - size * (0.4 + 1.2 * row)]);
    const line = lines.find(isFree);
    if (line !== undefined) placed.push({ text, x: middle, y: line, half });
  }
  return placed;
}
