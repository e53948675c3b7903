// S3File: a file that is too long for one POST travels in parts, and goes on where it was after a reload.
// s3file.js loads this for the first such file.

const PARALLEL = 4
// Addresses asked for at a time; the server signs at most 100.
const ADDRESSES = 20
const PREFIX = 's3file:'

// What is no answer of the app's server. Where a session has ended, the app asks for a login or leads to its page.
const LOGIN = { code: 'SessionExpired', message: 'The app wants a login.', again: true }
const STRANGE = { code: 'NetworkError', message: 'Something else answered in place of the app.', again: true }

// What is kept over a reload: {upload, key, partSize, ticket, ends}, by what tells the file from others, and this field and person from others
// who use this browser.
const nameOf = ({ file, picker: { input } }) =>
  PREFIX + JSON.stringify([input.dataset.s3fResume, input.name, file.name, file.size, file.lastModified])

const recall = (entry) => {
  try {
    return JSON.parse(localStorage.getItem(nameOf(entry)))
  } catch {
    return null
  }
}

// Where nothing may be kept, nothing is resumed.
const remember = (entry, value) => {
  try {
    if (value) localStorage.setItem(nameOf(entry), JSON.stringify(value))
    else localStorage.removeItem(nameOf(entry))
  } catch {}
}

const isText = (value) => typeof value === 'string'

// A question to the app's server. Rejects as s3file.js's own requests do. A page of a login or a proxy may come with a good status, too: an
// answer is what has what was asked for.
const ask = async (url, method, values, signal, isAnswer) => {
  const body = values && new URLSearchParams(values)
  const response = await fetch(url, { method, body, signal, redirect: 'manual' }).catch(() => {
    throw { code: 'NetworkError', again: true }
  })
  const { ok, status, type } = response
  if (type === 'opaqueredirect' || status === 401) throw LOGIN
  const answer = await response.json().catch(() => null)
  if (!ok) throw { code: answer?.code ?? `${status}`, status, message: answer?.detail, again: status >= 500 }
  if (answer && isAnswer(answer)) return answer
  throw STRANGE
}

// What the storage answered to a part. To a good one it answers nothing, which would not be XML.
const refusal = ({ status, responseXML }) => {
  const of = (tag) => responseXML?.getElementsByTagNameNS('*', tag)[0]?.textContent
  return { code: of('Code') ?? `${status}`, status, message: of('Message'), request: of('RequestId'), again: status !== 400 }
}

const begin = async (entry, url, signal) => {
  const { file, picker } = entry
  const { s3fSignature: ticket, s3fEnds } = picker.input.dataset
  const values = { ticket, size: file.size, type: file.type || 'application/octet-stream' }
  const isBegun = ({ upload, key, partSize }) => isText(upload) && isText(key) && partSize > 0
  const started = await ask(url, 'POST', values, signal, isBegun)
  const plan = { ...started, ticket, ends: s3fEnds && Date.parse(s3fEnds) }
  remember(entry, plan)
  return { plan, done: [] }
}

// The upload that was begun before, if the server still knows it and a form can still bring it. It is forgotten when the server itself says
// that it does not, and for no other refusal.
const resume = async (entry, url, signal) => {
  const plan = recall(entry)
  if (!plan) return null
  if (plan.ends < Date.now()) return discard(entry, url)
  try {
    const question = `${url}?${new URLSearchParams({ upload: plan.upload })}`
    const { parts } = await ask(question, 'GET', null, signal, ({ parts }) => Array.isArray(parts))
    return { plan, done: parts }
  } catch (failure) {
    if (!/^(expired|invalid_ticket)$/.test(failure.code)) throw failure
    remember(entry)
    return null
  }
}

// One try of a whole upload: what earlier tries brought stays. Resolves with the key.
export const upload = async (entry, kit) => {
  const { file, picker } = entry
  const url = picker.input.dataset.s3fMultipart
  const stop = new AbortController()
  const requests = new Set()
  let moved = false
  entry.abort = () => {
    stop.abort()
    for (const part of requests) part.abort()
    if (entry.gone) discard(entry, url)
  }
  try {
    const { plan, done } = (await resume(entry, url, stop.signal)) ?? (await begin(entry, url, stop.signal))
    const { partSize } = plan
    entry.ticket = plan.ticket
    entry.ends = plan.ends
    const lengthOf = (number) => Math.min(partSize, file.size - (number - 1) * partSize)
    const count = Math.max(1, Math.ceil(file.size / partSize))
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !done.includes(number))
    const loaded = new Map(done.map((number) => [number, lengthOf(number)]))
    const addresses = new Map()
    let asking

    const addressOf = async (number) => {
      while (!addresses.has(number)) {
        asking ??= (async () => {
          const numbers = [number, ...missing].slice(0, ADDRESSES)
          const values = [['upload', plan.upload], ...[...new Set(numbers)].map((number) => ['part', number])]
          const isOf = (part) => part?.number === number && isText(part.url)
          const hasAddress = ({ parts }) => Array.isArray(parts) && parts.some(isOf)
          const { parts } = await ask(`${url}/parts`, 'POST', values, stop.signal, hasAddress)
          for (const part of parts) addresses.set(part.number, part.url)
        })().finally(() => (asking = null))
        await asking
      }
      return addresses.get(number)
    }

    const sendPart = async (number) => {
      const address = await addressOf(number)
      const part = {}
      requests.add(part)
      const from = (number - 1) * partSize
      const onprogress = (event) => {
        loaded.set(number, Math.min(event.loaded, lengthOf(number)))
        kit.advance?.(entry, [...loaded.values()].reduce((sum, bytes) => sum + bytes, 0), event)
      }
      const request = await kit
        .send(part, 'PUT', address, file.slice(from, from + lengthOf(number)), onprogress)
        .finally(() => requests.delete(part))
      // An address that has run out is asked for again by the next try.
      if (request.status !== 200) throw refusal(request)
      loaded.set(number, lengthOf(number))
      moved = true
    }

    const lane = async () => {
      while (missing.length && !stop.signal.aborted) await sendPart(missing.shift())
    }
    await Promise.all(Array.from({ length: PARALLEL }, lane))
    const { key } = await ask(`${url}/complete`, 'POST', { upload: plan.upload }, stop.signal, ({ key }) => isText(key))
    remember(entry)
    return key
  } catch (failure) {
    stop.abort()
    for (const part of requests) part.abort()
    throw { ...failure, moved }
  }
}

// What has arrived is of no use to anybody. It need not be waited for.
const discard = (entry, url) => {
  const plan = recall(entry)
  remember(entry)
  if (plan) fetch(`${url}?${new URLSearchParams({ upload: plan.upload })}`, { method: 'DELETE', keepalive: true }).catch(() => {})
}
