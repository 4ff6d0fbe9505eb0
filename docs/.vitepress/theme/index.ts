import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { h } from 'vue';
import Diagram from './Diagram.vue';
import HomePanel from './HomePanel.vue';
import './style.css';

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(HomePanel) }),
  enhanceApp({ app }) {
    app.component('Diagram', Diagram);
  },
} satisfies Theme;
