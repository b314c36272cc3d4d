// Asks a server for tickets with generated tokens, and jose what it thinks of the same: every verdict has to be the same, or the
// difference has to be one that is explained, and each explanation needed.
//
//     judge.mjs keys FOLDER                   makes the issuer's keys
//     judge.mjs FOLDER PORT SEED COUNT        judges; FOLDER has those keys, ca.pem and audit.jsonl

import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'

import { createLocalJWKSet, jwtVerify } from 'jose'

import { audience, issuer, make } from './cases.mjs'
import { differences } from './differences.mjs'
import { makeKeys, signers } from './keys.mjs'

/** So many ask at once, each from an address of its own: the audit log holds 100 refusals a second of one. */
const WORKERS = 8
/** By which the audit log names a case. */
const trace = (number) => `judged-${String(number).padStart(6, '0')}`

if (process.argv[2] === 'keys') await prepare(process.argv[3])
else await judgeAll(process.argv[2], ...process.argv.slice(3).map(Number))

async function prepare (folder) {
  const { keys, set } = await makeKeys()
  const own = Object.entries(keys).map(([kid, { privateKey, jwk, by }]) =>
    [kid, { jwk, by, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) }])
  writeFileSync(join(folder, 'keys.json'), JSON.stringify(set))
  writeFileSync(join(folder, 'private.json'), JSON.stringify(Object.fromEntries(own)), { mode: 0o600 })
}

async function judgeAll (folder, port, seed, count) {
  const keys = JSON.parse(readFileSync(join(folder, 'private.json')))
  for (const key of Object.values(keys)) key.privateKey = createPrivateKey(key.pem)
  const ca = readFileSync(join(folder, 'ca.pem'))
  const set = createLocalJWKSet(JSON.parse(readFileSync(join(folder, 'keys.json'))))
  const judged = []
  await Promise.all(Array.from({ length: WORKERS }, async (_, worker) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca, localAddress: `127.0.0.${worker + 2}` })
    for (let number = worker; number < count; number += WORKERS) {
      const { token, spoilt } = await make(seed, number, keys)
      const before = await theirs(token, set)
      const status = await ours(token, number, port, agent)
      judged.push({ number, token, spoilt, status, before, after: await theirs(token, set) })
    }
    agent.destroy()
  }))
  conclude(judged, await reasons(folder, judged))
}

/** jose's verdict as of now: null, or why not. Told what a server is told by its configuration. */
async function theirs (token, set) {
  const options = {
    issuer, audience, typ: 'at+jwt', algorithms: Object.keys(signers), requiredClaims: ['iss', 'aud', 'exp', 'sub'],
    clockTolerance: 0, currentDate: new Date()
  }
  return jwtVerify(token, set, options).then(() => null, (error) => error.code ?? error.message)
}

/** The status of the server's answer: 201 where it takes the token. */
function ours (token, number, port, agent) {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`, 'content-type': 'application/json', host: 'localhost',
      'wardwire-trace': trace(number)
    }
    const where = { host: '127.0.0.1', servername: 'localhost', port, path: '/.wardwire/tickets' }
    const asking = request({ ...where, agent, method: 'POST', headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    asking.on('error', reject)
    asking.end('{"route":"/native"}')
  })
}

/** Why the server refused what it did, by its audit log, once that holds all of it. */
async function reasons (folder, judged) {
  const wanted = judged.filter(({ status }) => status !== 201).length
  for (let patience = 200; ; patience -= 1) {
    const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line))
    const told = new Map(lines.filter(({ event }) => event === 'refusal').map(({ trace, reason }) => [trace, reason]))
    if (told.size >= wanted || patience === 0) return told
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function conclude (judged, told) {
  const counts = { accepted: 0, refused: 0, straddling: 0 }
  const seen = Object.fromEntries(Object.keys(differences).map((name) => [name, 0]))
  const unexplained = []
  for (const it of judged) {
    const { status, before, after, number, spoilt } = it
    const refused = status !== 201
    const lax = spoilt.length === 1 && differences[spoilt[0].as]?.ours === 'refuses' && !refused
    if (status >= 500 || lax) unexplained.push(it)
    // A second began while it was asked: either was right.
    else if ((before === null) !== (after === null)) counts.straddling += 1
    else if (refused === (before !== null)) counts[refused ? 'refused' : 'accepted'] += 1
    else {
      const reason = told.get(trace(number))
      const name = spoilt.map((change) => change.as).find((name) => name && fits(differences[name], refused, reason))
      if (name) seen[name] += 1
      else unexplained.push({ ...it, reason })
    }
  }
  const idle = Object.keys(seen).filter((name) => seen[name] === 0)
  console.log(JSON.stringify({ judged: judged.length, ...counts, differences: seen, idle, unexplained: unexplained.length }))
  for (const it of unexplained.slice(0, 10)) console.log(JSON.stringify(it))
  if (unexplained.length > 0 || idle.length > 0 || counts.straddling > judged.length / 100) process.exitCode = 1
}

function fits ({ ours, reasons }, refused, reason) {
  return refused ? ours !== 'accepts' && reasons.includes(reason) : ours !== 'refuses'
}
