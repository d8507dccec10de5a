/** What is said of an error, whatever was thrown. */

/**
 * Return the message of an error, or the text of any other thrown value.
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
