/** `--cert FILE --key FILE`. */
export function options() {
  const [certFlag, cert, keyFlag, key] = process.argv.slice(2);
  if (certFlag !== '--cert' || keyFlag !== '--key') throw new Error('usage: --cert FILE --key FILE');
  return { cert, key };
}
