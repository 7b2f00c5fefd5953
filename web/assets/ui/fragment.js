// Room and token live in the fragment of the address, which browsers send to nobody.

/** @returns {{room: string, token: string}} empty strings for what is not there */
export function readFragment(hash = location.hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  return { room: (values.get('room') ?? '').trim(), token: (values.get('token') ?? '').trim() };
}

/** The fragment with this room and, if there is one, this token. */
export function writeFragment({ room, token }) {
  const values = new URLSearchParams({ room });
  if (token) values.set('token', token);
  return `#${values}`;
}

/** Links between the pages take room and token along. */
export function carryFragment() {
  const follow = () => {
    for (const link of document.querySelectorAll('a[data-carries-fragment]')) {
      link.href = link.pathname + location.hash;
    }
  };
  addEventListener('hashchange', follow);
  follow();
}
