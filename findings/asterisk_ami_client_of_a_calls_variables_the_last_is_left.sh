#!/usr/bin/env bash
# asterisk-ami-client 1.1.5 (npm), with its asterisk-ami-events-stream 1.2.8 and asterisk-ami-event-utils 2.0.2, a
# client of Asterisk's manager interface (AMI), seen 2026-11-30 (Node 20, x86-64). asterisk-manager 0.2.0 (npm) stands
# beside it.
#
# Behaviour: by Asterisk's specification of AMI an event has a line `ChanVariable: name=value` for each variable that
# `channelvars` in manager.conf asks for, and `DestChanVariable` for those of the channel that is dialed. The client
# makes an object of an event, and a line takes the place of an earlier one of the same name. Of a channel's variables
# the last is left, and of the others nothing. Which that is depends on the order in manager.conf: who adds a variable
# behind takes away the one before. With one variable all is right, and what is left of more looks as if it had been the
# only one. There is no error, the README has no word of lines that come again, and no issue of its repositories was
# found that has; other clients of AMI had the same fault and mended it. asterisk-manager gives all of a channel's
# variables by name.
#
# What one would have guessed: a list, where the protocol sends one. The number that forwarded a call, how far the
# caller's own was verified, whether somebody agreed to be recorded, are handed from the dialplan in such variables. Who
# reads them sees that there is none and does as if there were none: the forwarded call belongs to nobody, the verified
# caller is not verified, a consent was not given.
#
# Output seen:
#   channelvars=FORWARDED
#     asterisk-ami-client: FORWARDED=+12025550103; of the agent: FORWARDED=+12025550103
#     asterisk-manager: FORWARDED=+12025550103
#   channelvars=FORWARDED,ATTEST,CONSENT
#     asterisk-ami-client: CONSENT=yes; of the agent: CONSENT=yes
#     asterisk-manager: FORWARDED=+12025550103, ATTEST=A, CONSENT=yes
#   channelvars=CONSENT,ATTEST,FORWARDED
#     asterisk-ami-client: FORWARDED=+12025550103; of the agent: FORWARDED=+12025550103
#     asterisk-manager: CONSENT=yes, ATTEST=A, FORWARDED=+12025550103
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
pinned=(asterisk-ami-client@1.1.5 asterisk-ami-events-stream@1.2.8 asterisk-ami-event-utils@2.0.2)
npm install --silent --no-audit --no-fund "${pinned[@]}" asterisk-manager@0.2.0
cat >seen.js <<'JS'
const assert = require('node:assert')
const { once } = require('node:events')
const net = require('node:net')
const AmiClient = require('asterisk-ami-client')
const AsteriskManager = require('asterisk-manager')

const VALUES = { FORWARDED: '+12025550103', ATTEST: 'A', CONSENT: 'yes' }

const packet = (...lines) => lines.join('\r\n') + '\r\n\r\n'

// Asterisk, as far as it is needed: lets in who logs in, and then tells of a call that dials an agent.
function asterisk(names) {
  const variables = (of) => names.map((name) => `${of}ChanVariable: ${name}=${VALUES[name]}`)
  const call = packet(
    'Event: DialBegin',
    'Channel: PJSIP/trunk-00000001',
    'CallerIDNum: +12025550199',
    'Uniqueid: 1796000000.1',
    ...variables(''),
    'DestChannel: PJSIP/agent-00000002',
    'DestUniqueid: 1796000000.2',
    ...variables('Dest'),
    'DialString: agent',
  )
  return net.createServer((socket) => {
    socket.write('Asterisk Call Manager/9.0.0\r\n')
    socket.once('data', (login) => {
      const id = String(login).match(/ActionID: *\S+/i) ?? []
      socket.write(packet('Response: Success', ...id, 'Message: Authentication accepted'))
      setTimeout(() => socket.write(call), 100)
    })
  })
}

async function seen(names) {
  const server = asterisk(names).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const client = new AmiClient()
  await client.connect('user', 'secret', { host: '127.0.0.1', port })
  const [byClient] = await once(client, 'event')
  const manager = new AsteriskManager(port, '127.0.0.1', 'user', 'secret', true)
  const [byManager] = await once(manager, 'managerevent')
  client.disconnect()
  manager.disconnect()
  server.close()
  return [byClient, byManager]
}

async function main() {
  for (const asked of ['FORWARDED', 'FORWARDED,ATTEST,CONSENT', 'CONSENT,ATTEST,FORWARDED']) {
    const names = asked.split(',')
    const [byClient, byManager] = await seen(names)
    const known = Object.entries(byManager.chanvariable).map((pair) => pair.join('='))
    console.log(`channelvars=${asked}`)
    console.log(`  asterisk-ami-client: ${byClient.ChanVariable}; of the agent: ${byClient.DestChanVariable}`)
    console.log(`  asterisk-manager: ${known.join(', ')}`)
    const sent = names.map((name) => `${name}=${VALUES[name]}`)
    assert.deepStrictEqual([byClient.ChanVariable, byClient.DestChanVariable], [sent.at(-1), sent.at(-1)])
    assert.deepStrictEqual(known, sent)
    const told = JSON.stringify(byClient)
    assert(sent.slice(0, -1).every((variable) => !told.includes(variable)))
  }
  process.exit(0)
}

process.exitCode = 1
main()
JS
node seen.js
