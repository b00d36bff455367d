// Copying a message's text as its author wrote it. Pages hold the rendered
// Markdown only, so the script asks the API for the text first.
{
  on("click", "[data-copy-text]", async (_, button) => {
    try {
      const response = await fetch(button.dataset.copyText);
      if (!response.ok) throw new Error(response.statusText);
      const message = await response.json();
      button.removeAttribute("data-copy-text");
      button.dataset.copy = message.text;
      button.click();
    } catch {
      say("The text could not be read. Try again.");
    }
  });
}
