// What the pages remember. Storage can be forbidden or full; then they remember nothing.

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(`turnpike.${key}`);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(`turnpike.${key}`, value);
  } catch {
    // as above
  }
}
