// S3File: drag and drop, paste, files added to those that are there, and files that survived a form error.
// s3file.js loads this for inputs with data-s3f-options, or with files that were kept.

const DROP = 'input.s3file[type=file][data-s3f-options~=drop]:enabled'

let kit

// Keeps `boxes`, which stand for kept files, in line with the input. Called whenever its files change.
export const keep = ({ input, entries }, boxes, tools) => {
  if (!kit) start(tools)
  let isFilled = false
  for (const box of boxes) {
    const row = box.closest('li')
    if (!box.hidden) dress(input, box, row)
    // In place of a single kept file another one may be chosen, and taken back.
    box.disabled = !input.multiple && entries.length > 0
    row.hidden = box.disabled || !box.checked
    isFilled ||= !row.hidden
  }
  for (const list of new Set(boxes.map((box) => box.closest('ul')))) list.hidden = [...list.children].every((row) => row.hidden)
  if ('s3fRequired' in input.dataset) input.required = !isFilled
}

// A box with a label becomes a row with a button.
const dress = (input, box, row) => {
  const { buttonOf, label, make, text, sync, say } = kit
  const name = row.querySelector('.s3file-name')
  const button = buttonOf('s3file-remove', () => {
    const rows = [...row.parentElement.children].filter((other) => other === row || !other.hidden)
    const index = rows.indexOf(row)
    const next = (rows[index + 1] ?? rows[index - 1])?.querySelector('.s3file-remove') ?? input
    box.checked = false
    sync(input)
    next.focus()
    say(input, text('removed', { name: name.textContent }))
  })
  label(button, 'remove', name.textContent)
  box.hidden = true
  row.prepend(name)
  row.append(box, make('span', 's3file-state', text('uploaded')), button)
  row.querySelector('label')?.remove()
}

// What was chosen before stays; what was chosen again is not doubled.
const add = (input) => {
  const files = kit.pickerOf(input).entries.map(({ file }) => file)
  const isSame = (one, other) => one.name === other.name && one.size === other.size && one.lastModified === other.lastModified
  const isChosenAgain = [...input.files].filter((file) => !files.some((other) => isSame(file, other)))
  kit.put(input, [...files, ...isChosenAgain])
}

// MARK: drop and paste

let over

// The input whose surroundings, that is its parent, an event fell on.
const inputAt = (element) => element && (element.querySelector?.(`:scope > ${DROP}`) ?? inputAt(element.parentElement))

const hover = (input) => {
  over?.classList.remove('s3file-over')
  over = input
  over?.classList.add('s3file-over')
}

// As if they had been chosen. Folders have no bytes to send.
const take = (input, items) => {
  const files = [...items]
    .filter((item) => item.kind === 'file' && !item.webkitGetAsEntry?.()?.isDirectory)
    .map((item) => item.getAsFile())
  if (!input || !files.length) return false
  kit.put(input, files)
  for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }))
  return true
}

const onDrag = (event) => {
  const { type, target, dataTransfer } = event
  // Beside the place for it a browser would open the file instead of the form.
  if (!dataTransfer.types.includes('Files') || !document.querySelector(DROP)) return
  event.preventDefault()
  const input = inputAt(target)
  dataTransfer.dropEffect = input ? 'copy' : 'none'
  hover(type === 'dragover' ? input : null)
  if (type === 'drop') take(input, dataTransfer.items)
}

// Where a text can be pasted, that is what is meant.
const onPaste = (event) => {
  const { target, clipboardData, defaultPrevented } = event
  const isTaken = defaultPrevented || target.isContentEditable || target.closest?.('textarea, input:not([type=file])')
  const input = inputAt(target) ?? document.querySelector(DROP)
  if (!isTaken && take(input, clipboardData.items)) event.preventDefault()
}

const start = (tools) => {
  kit = tools
  kit.add = add
  for (const type of ['dragover', 'dragleave', 'drop']) document.addEventListener(type, onDrag)
  document.addEventListener('paste', onPaste)
}
