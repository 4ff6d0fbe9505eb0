/** What the README's code takes as given. */
Object.assign(globalThis, { render: async () => '<html></html>\n' });
