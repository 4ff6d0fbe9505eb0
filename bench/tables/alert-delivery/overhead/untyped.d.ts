declare module 'notifme-sdk';
declare module 'opossum';
