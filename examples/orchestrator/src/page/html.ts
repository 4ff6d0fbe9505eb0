import htm from 'htm';
import { h, type VNode } from 'preact';

/** Its types describe a CommonJS module; what a bundler sees is the function itself. */
const bind = htm as unknown as {
  bind(create: typeof h): (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
};

/** Templates instead of JSX: text and attributes are always escaped. */
export const html = bind.bind(h);
