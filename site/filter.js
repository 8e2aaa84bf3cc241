// @ts-check
/** The table of system calls: shows the rows that match. */

const field = /** @type {HTMLInputElement} */ (document.getElementById("filter"));
const form = /** @type {HTMLFormElement} */ (field.form);
const rows = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#syscalls tbody tr"));

function show() {
  const wanted = field.value.trim().toLowerCase();
  const levels = new Set(new FormData(form).getAll("level"));
  for (const row of rows) row.hidden = !levels.has(row.dataset.level ?? "") || !row.textContent?.toLowerCase().includes(wanted);
}

form.addEventListener("input", show);
form.addEventListener("submit", (e) => e.preventDefault());
