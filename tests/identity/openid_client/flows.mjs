// An application that gets its tokens by `openid-client`: started with one argument, JSON {issuer, secret}, it says what it got.

import * as oidc from 'openid-client'

const { issuer, secret } = JSON.parse(process.argv[2])
const redirectUri = 'https://app.localhost/back'
const resource = 'urn:resource:wardwire'

const config = await oidc.discovery(new URL(issuer), 'app', secret)

/** The code flow with PKCE, as far as the tokens: a user goes to the provider and comes back. */
async function signIn (account, resource) {
  const verifier = oidc.randomPKCECodeVerifier()
  const checks = { expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() }
  const asked = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid live',
    resource,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256'
  })
  const back = await browse(asked, account)
  return oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, ...checks }, { resource })
}

/** A browser: it goes where it is sent, with its cookies, until that is the application. */
async function browse (url, account) {
  const cookies = new Map()
  while (!url.href.startsWith(redirectUri)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      cookies.set(name, value)
    }
    const next = response.headers.get('location')
    if (next === null) throw new Error(`${url}: ${response.status} ${await response.text()}`)
    url = new URL(next, url)
    if (url.pathname.startsWith('/interaction/')) url.searchParams.set('account', account)
  }
  return url
}

const alice = await signIn('alice', resource)
const refreshed = await oidc.refreshTokenGrant(config, alice.refresh_token, { resource })
const bob = await signIn('bob', resource)
const elsewhere = await signIn('alice', 'urn:resource:elsewhere')
const machine = await oidc.clientCredentialsGrant(config, { resource, scope: 'live' })
console.log(JSON.stringify({
  alice: alice.access_token,
  refreshed: refreshed.access_token,
  bob: bob.access_token,
  machine: machine.access_token,
  // What opens nothing.
  id: alice.id_token,
  refresh: refreshed.refresh_token,
  elsewhere: elsewhere.access_token
}))
