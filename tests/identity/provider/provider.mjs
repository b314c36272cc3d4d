// A real OpenID provider on loopback, for tests: `oidc-provider`, which the OpenID Foundation has certified.
//
// It is started with one argument, JSON: {certificate, key, clients, acr?}, and says one line, {"port": ...}; nobody reads
// a second one, of which it would die. Whoever comes
// to sign in is who `?account=` says, by the methods that `?amr=` names, as of `?ts=`. POST /control tells it what a test wants of it.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

import { exportJWK, generateKeyPair, SignJWT, importJWK } from 'jose'
import { Provider } from 'oidc-provider'

const given = JSON.parse(process.argv[2])

/** Where back-channel calls go: the server under test is started after its provider. */
let relyingParty = null
/** What was asked, so that a test can look. */
const seen = { token: 0, introspection: 0, pushed: 0, backchannel: [] }
/** Whether the endpoints for tokens and about them are down. */
let broken = false
/** Whether it does not say that it names itself in its answers (RFC 9207 §3). */
let silent = false
/** Whether it says that requests may be left with it (RFC 9126). */
let pushed = false

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const jwk = { ...(await exportJWK(privateKey)), kid: 'provider', use: 'sig', alg: 'ES256' }
const { privateKey: stranger } = await generateKeyPair('ES256', { extractable: true })

const server = createServer({
  cert: readFileSync(given.certificate),
  key: readFileSync(given.key)
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address()
const issuer = `https://localhost:${port}`

const provider = new Provider(issuer, {
  clients: given.clients,
  jwks: { keys: [jwk] },
  cookies: { keys: ['test'] },
  acrValues: ['mfa', 'pwd'],
  claims: { openid: ['sub', 'rooms'], acr: null, amr: null, auth_time: null, iss: null, sid: null },
  // Claims of a scope stand in the ID token itself, as most providers do it.
  conformIdTokenClaims: false,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'RS256'], idTokenSigningAlgValues: ['ES256', 'RS256'] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    clientCredentials: { enabled: true },
    // A token for a resource is a JWT that means it by the last part of its name; one for none is opaque.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => false,
      getResourceServerInfo: (_, resource) => ({
        scope: 'live', audience: resource.split(':').at(-1), accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } }
      })
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => { ctx.body = form },
      postLogoutSuccessSource: (ctx) => { ctx.body = 'signed out' }
    }
  },
  pkce: { required: () => true },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  // What it says of an opaque token beside the protocol's own.
  extraTokenClaims: (_, token) => token.accountId && { rooms: token.accountId === 'mallory' ? [] : ['lobby'] },
  // It lets nobody call loopback by itself.
  fetch: (url, { dispatcher, ...options }) => {
    const asked = new URL(url)
    seen.backchannel.push(String(options.body))
    return globalThis.fetch(new URL(asked.pathname, relyingParty ?? issuer), options)
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, rooms: id === 'mallory' ? [] : ['lobby'] })
  }),
  // Everybody agrees to everything.
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId
    })
    grant.addOIDCScope('openid profile email offline_access')
    for (const resource of Object.keys(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(resource, 'live')
    await grant.save()
    return grant
  },
  ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 300, AccessToken: 300, RefreshToken: 3600, ClientCredentials: 300 }
})
provider.on('server_error', (_, error) => console.error(error))

async function control (asked) {
  if ('relyingParty' in asked) relyingParty = asked.relyingParty
  if ('broken' in asked) broken = asked.broken
  if ('silent' in asked) silent = asked.silent
  if ('pushed' in asked) pushed = asked.pushed
  if (asked.sign) {
    const { header, claims, by } = asked.sign
    const key = by === 'stranger' ? stranger : await importJWK(jwk, 'ES256')
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'provider', ...header })
      .sign(key)
    return { token }
  }
  if (asked.issue) return { token: await issue(asked.issue) }
  if (asked.destroy) await (await provider.AccessToken.find(asked.destroy))?.destroy()
  return seen
}

/** An opaque token of this kind, as a grant of this account's would give. */
async function issue ({ kind = 'AccessToken', account, audience = 'wardwire', ttl = 300 }) {
  const client = await provider.Client.find('basic')
  const grant = new provider.Grant({ clientId: client.clientId, accountId: account })
  grant.addOIDCScope('openid')
  const token = new provider[kind]({
    accountId: account, client, grantId: await grant.save(), scope: 'openid', gty: 'authorization_code', expiresIn: ttl
  })
  if (kind === 'AccessToken' && audience) token.setAudience(audience)
  return token.save()
}

const now = () => Math.floor(Date.now() / 1000)

async function interaction (request, response) {
  const { prompt } = await provider.interactionDetails(request, response)
  const query = new URL(request.url, issuer).searchParams
  const account = query.get('account')
  const result = account
    ? { login: { accountId: account, amr: query.get('amr')?.split(','), acr: query.get('acr') ?? undefined, ts: Number(query.get('ts') ?? now()) } }
    : { error: 'access_denied', error_description: `nobody wanted ${prompt.name}` }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

async function answer (request, response) {
  const path = new URL(request.url, issuer).pathname
  const say = (value) => {
    const said = JSON.stringify(value)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(said) })
    response.end(said)
  }
  if (path === '/control') {
    const body = []
    for await (const chunk of request) body.push(chunk)
    say(await control(JSON.parse(Buffer.concat(body).toString() || '{}')))
  } else if (request.url === '/.well-known/openid-configuration') {
    const own = await globalThis.fetch(`${issuer}${path}?as-it-is`)
    const said = await own.json()
    if (silent) delete said.authorization_response_iss_parameter_supported
    if (!pushed) delete said.pushed_authorization_request_endpoint
    say(said)
  } else if (path.startsWith('/interaction/')) {
    await interaction(request, response)
  } else {
    if (path === '/token') seen.token += 1
    if (path === '/token/introspection') seen.introspection += 1
    if (path === '/request') seen.pushed += 1
    if ((path.startsWith('/token') || path === '/request') && broken) {
      response.writeHead(502, { 'content-length': 0 })
      response.end()
      return
    }
    await provider.callback()(request, response)
  }
}

server.on('request', (request, response) => {
  answer(request, response).catch((error) => {
    console.error(error)
    response.writeHead(500, { 'content-length': 0 })
    response.end()
  })
})
console.log(JSON.stringify({ port }))
