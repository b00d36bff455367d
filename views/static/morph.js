// morph makes an element like another and leaves alone what is the same, so
// that focus, selection and what is open stay.
function morph(old, fresh) {
  // What the page itself changes on an element is its own affair.
  const kept = ["aria-expanded", "aria-busy", "open", "tabindex"];
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && !kept.includes(name)) old.setAttribute(name, value);
  const [was, is] = [[...old.childNodes], [...fresh.childNodes]];
  is.forEach((child, at) => { if (was[at]) morph(was[at], child); else old.append(child); });
  was.slice(is.length).forEach((child) => child.remove());
}
