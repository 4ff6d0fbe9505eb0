/** How text is searched. A term is a run of letters, digits, marks and underscores, in lower case. */
export interface TextOptions {
  /** Also find words that begin with a term of the query, at a lower score. @defaultValue false */
  prefix?: boolean | undefined;
  /** Also find words within this many edits of a term of the query, at a lower score. @defaultValue 0 */
  fuzzy?: 0 | 1 | 2 | undefined;
  /**
   * Splits text into terms in place of the built-in rule, for entries and queries alike; for languages that do not put
   * spaces between words. A throw leaves the entry stored, marks the text index dirty and has it rebuilt.
   */
  tokenize?: ((text: string) => readonly string[]) | undefined;
}
