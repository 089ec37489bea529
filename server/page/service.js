// The server's API: JSON and files by fetch, problems as errors with one sentence, patience with a busy server.

const PATIENCE = 6; // tries
const LONGEST_WAIT = 30; // seconds

export class Problem extends Error {
  /** A sentence for the user, out of a problem document (RFC 9457) or the lack of any response. */
  constructor(message, fields = []) {
    super(message);
    this.lines = [message, ...fields.map(({ field, detail }) => `${field}: ${detail}`).filter((line) => !message.includes(line))];
  }
}

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

async function problem(response) {
  const found = await response.json().catch(() => ({}));
  return new Problem(found.detail || `The server responded with ${response.status} ${response.statusText}.`, found.errors);
}

async function once(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not respond. See that it runs (synthgen serve), then try again.");
  }
}

/**
 * The server's response. While it is busy (429, 503), waits as long as it says and sends again, a few times;
 * `waiting` is called each time with how many seconds. Raises Problem.
 */
export async function send(path, options = {}, waiting = () => {}) {
  for (let tries = 1; ; tries++) {
    const response = await once(path, options);
    if (response.ok) return response;
    if (![429, 503].includes(response.status) || tries === PATIENCE) throw await problem(response);
    const seconds = Math.min(Math.max(Number(response.headers.get("Retry-After")) || 1, 0.2), LONGEST_WAIT);
    waiting(seconds);
    await pause(seconds, options.signal);
  }
}

export const get = async (path) => (await send(path)).json();

/** The multipart body of a request for one sample. */
export function form({ pictures, recipe, seed, strength, category }) {
  const data = new FormData();
  for (const { file } of pictures) data.append("images", file, file.name);
  data.append("recipe", JSON.stringify(recipe));
  data.append("seed", seed);
  data.append("strength", strength);
  if (category) data.append("category", category);
  return data;
}

/** Base64 as a file in memory. */
export function blob(base64, type) {
  return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], { type });
}
