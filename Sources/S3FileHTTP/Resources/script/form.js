
// MARK: the form

// When nothing moves any more: what has become of it is said, and a form that waits for it goes.
const settle = (home) => {
  const state = stateOf(home)
  const entries = entriesOf(home)
  kit.offer?.(home)
  if (!state.hasBegun || entries.some(isMoving)) return
  const count = entries.filter(({ state }) => state !== 'uploaded').length
  const sendable = state.busy && entries.length && !count
  if (entries.length) state.say(count ? text('missed', { count, total: entries.length }) : text(sendable ? 'sending' : 'done'))
  state.busy = state.hasBegun = false
  set(home, 'data-s3f-busy')
  // When every file was cancelled, nobody wants the form sent.
  if (!sendable || !home.isConnected) return
  HTMLFormElement.prototype.requestSubmit.call(home, state.submitter?.form === home ? state.submitter : null)
}

// First in line, so that every other listener sees one submit only: the one that carries the keys.
const onSubmit = (event) => {
  const { target: form, submitter } = event
  const inputs = inputsOf(form)
  if (!inputs.length) return
  const state = stateOf(form)
  // By attribute: a control named "method" hides the property. A form that says nothing is one that a script of the page sends.
  state.plain = /^(get|dialog)$/i.test(submitter?.getAttribute('formmethod') ?? form.getAttribute('method'))
  if (state.plain) return
  // A script may have put files there without a change event.
  inputs.forEach(sync)
  const entries = entriesOf(form)
  const isReady = ({ state }) => state === 'uploaded'
  // The page may have been open since yesterday.
  for (const entry of entries) if (isReady(entry) && isOver(entry)) show(entry, 'chosen')
  const ready = entries.every(isReady)
  const now = performance.now()
  // The second click of two. A script that asks again has no button.
  const twice = submitter && now - state.sent < 1000
  if (ready && !state.busy && !twice) {
    state.sent = now
    return
  }
  event.preventDefault()
  event.stopImmediatePropagation()
  state.submitter = submitter
  if (ready) return
  const refused = entries.find(({ refused }) => refused)
  if (refused) return alarm({ form }, `${refused.file.name}: ${refused.refused}`)
  state.busy = true
  set(form, 'data-s3f-busy', 'true')
  begin(entries)
}

// Whoever asks for the form's data, the browser or a script, gets keys in place of files.
const onFormData = ({ target: form, formData }) => {
  if (forms.get(form)?.plain) return
  for (const input of inputsOf(form)) {
    const { name, dataset } = input
    if (!name) continue
    const { entries } = pickerOf(input)
    const others = formData.getAll(name).filter((value) => !(value instanceof File))
    formData.delete(name)
    for (const value of others) formData.append(name, value)
    formData.append('s3file', name)
    // A file goes with the ticket that it was uploaded under: it may have gone on after a reload.
    const tickets = [dataset.s3fSignature ?? '', ...entries.map(({ ticket }) => ticket).filter(Boolean)]
    for (const ticket of new Set(tickets)) formData.append(`${name}-s3f-signature`, ticket)
    for (const { state, key, file } of entries) {
      // No key: whoever takes the data without waiting for the upload is told so by the server, by the file's name.
      formData.append(name, state === 'uploaded' ? key : '')
      formData.append(`${name}-s3f-name`, file.name)
    }
  }
}

// MARK: <s3file-status src="/s3file/uploads/…?token=…">

let journeys

// Nothing else brings the elements to life: a module that cannot be loaded is tried again, ever more seldom, and meanwhile they say so.
const loadJourneys = async (pause = 1000) => {
  try {
    return await load('status')
  } catch {
    if (pause > 2000) {
      for (const element of document.querySelectorAll('s3file-status')) {
        element.dataset.state = 'unknown'
        element.replaceChildren(make('p', 's3file-state', text('unknown')))
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pause))
    return loadJourneys(Math.min(2 * pause, 30_000))
  }
}

class S3FileStatus extends HTMLElement {
  static observedAttributes = ['src']

  async connectedCallback() {
    (await (journeys ??= loadJourneys())).watch(this, kit)
  }

  attributeChangedCallback() {
    this.connectedCallback()
  }

  disconnectedCallback() {
    this.forget?.()
  }
}

// MARK: start

if (!customElements.get('s3file-status')) {
  customElements.define('s3file-status', S3FileStatus)
  document.addEventListener('submit', onSubmit, true)
  document.addEventListener('formdata', onFormData)
  document.addEventListener('change', onChange)
  document.addEventListener('reset', ({ target }) => setTimeout(() => inputsOf(target).forEach(sync)))
  new MutationObserver(onMutation).observe(document, { childList: true, subtree: true })
  // At the start, and when the page comes back from the cache: then it may be sent again.
  addEventListener('pageshow', () => {
    for (const input of document.querySelectorAll(PICKER)) {
      stateOf(homeOf(input)).sent = -1e9
      sync(input)
    }
  })
}
