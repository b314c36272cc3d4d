// Where Wardwire and jose may judge otherwise, and why: docs/security/tokens.md has a row for each.
//
// `ours` is what Wardwire does and jose does not, `reasons` those its audit log may name for it. A class counts only for a token
// that was spoilt in a way that names it.

const malformed = ['token-malformed']

export const differences = {
  twice: { ours: 'refuses', reasons: malformed },
  depth: { ours: 'refuses', reasons: malformed },
  unicode: { ours: 'refuses', reasons: malformed },
  range: { ours: 'refuses', reasons: malformed },
  spelling: { ours: 'refuses', reasons: ['token-malformed', 'token-signature', 'credential-malformed'] },
  size: { ours: 'refuses', reasons: ['token-too-large'] },
  crit: { ours: 'refuses', reasons: ['token-critical'] },
  audience: { ours: 'refuses', reasons: ['token-claims'] },
  names: { ours: 'refuses', reasons: ['token-claims'] },
  dates: { ours: 'refuses', reasons: ['token-claims'] },
  future: { ours: 'refuses', reasons: ['token-not-yet-valid'] },
  lifetime: { ours: 'refuses', reasons: ['token-lifetime'] },
  kinds: { ours: 'refuses', reasons: ['token-type'] },
  binding: { ours: 'refuses', reasons: ['token-type', 'token-claims', 'token-binding'] },
  fractions: { ours: 'either', reasons: ['token-expired'] },
  leaked: { ours: 'accepts' }
}
