/**
 * Whether this is a channel's name, as the server sees it: segments between `/`, at most 255 bytes, in NFC (UAX #15); none of them
 * empty, `.` or `..`; no characters of patterns and URLs, none that is not drawn or not assigned, no white space but spaces inside.
 * What is assigned this runtime's Unicode says, and the server's its own.
 */
export function isChannelName(name: unknown): name is string {
  if (typeof name !== 'string' || refused.test(name) || name.normalize('NFC') !== name) return false;
  if (new TextEncoder().encode(name).length > longest) return false;
  return name.split('/').every((segment) => !['', '.', '..'].includes(segment) && segment.trim() === segment);
}

const longest = 255;
const refused = /[*{}?#%\\\p{C}\p{Default_Ignorable_Code_Point}]|(?! )\p{Z}/u;
