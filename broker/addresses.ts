// What a limit counts as one address: of IPv6 the first 64 bits, because each customer has all that follow and could
// come with a new one each time, and an IPv4 address the same however it is written. In a file of its own, because
// what stands in front of a handshake counts by it, and so does what stands behind: they must count the same.

/** @returns the same for its own answer. An address of IPv6 is counted by its first 64 bits [RFC 6177]. */
export function addressKey(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  return [...front, ...Array<string>(zeros).fill('0'), ...back].slice(0, 4).join(':');
}
