/** HTML that somebody wrote, in the page: by the browser's own sanitiser (HTML Sanitizer API), never by `innerHTML`. */

/** What the server's list `"basic"` leaves; nothing else is made into elements here either. */
const elements = [
  ...['b', 'blockquote', 'br', 'code', 'del', 'em', 'i', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's', 'strong', 'sub', 'sup', 'ul'],
  { name: 'a', attributes: ['href', 'rel'] },
];

interface Sanitising {
  setHTML(html: string, options: { readonly sanitizer: { readonly elements: typeof elements; readonly attributes: readonly string[] } }): void;
}

/** Shows HTML that the server has sanitised, sanitised once more; as text in browsers that cannot. */
export function showHtml(place: HTMLElement, html: string): void {
  if ('setHTML' in place) (place as HTMLElement & Sanitising).setHTML(html, { sanitizer: { elements, attributes: [] } });
  else place.textContent = html;
}
